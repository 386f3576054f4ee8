import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { catalogVersion } from '@trove/catalog';
import { ended, fileCreate, type House, openHouse, openTestCatalog } from './house.ts';
import { type RecordedJournal, type Recording, recordJournal } from './journals.ts';
import { kindsOfRelease } from './kinds_of_release.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';

const FOLDER = join(import.meta.dirname, 'fixtures', 'journals');
const POINTS: readonly string[] = ['after_run', 'after_undo', 'before_end'];

/** Into a new folder beside the recordings of the releases before, which stay. Tells how many journals of each scenario. */
export async function recordJournals(say: (line: string) => void): Promise<void> {
  const number = Math.max(0, ...readdirSync(FOLDER).map((name) => Number.parseInt(name, 10) || 0)) + 1;
  const folder = join(FOLDER, String(number).padStart(3, '0'));
  mkdirSync(folder);
  for (const scenario of SCENARIOS) {
    const { journals, ...head } = await record(scenario);
    const lines = journals.map((journal) => JSON.stringify(journal)).join(',\n');
    const text = `${JSON.stringify(head).slice(0, -1)},"journals":[\n${lines}\n]}\n`;
    writeFileSync(join(folder, `${scenario.name}.json`), text);
    say(`${scenario.name}: ${journals.length} journals`);
  }
}

async function record(scenario: Scenario): Promise<Recording> {
  const kind = kindsOfRelease().find((one) => one.kind === scenario.kind);
  if (kind === undefined) throw new RangeError(`this release has no task kind ${scenario.kind}`);
  const catalog = await openTestCatalog('sqlite');
  const journals: RecordedJournal[] = [];
  try {
    for (let index = 0; ; index += 1) {
      const journal = await dieAt(openHouse(catalog), scenario, index);
      if (journal === undefined) break;
      journals.push(journal);
    }
    const version = await catalogVersion(catalog.knex);
    const deployment: { deployment_id: string } | undefined = await catalog.knex('deployment').first();
    const { ends } = scenario;
    const deploymentId = deployment?.deployment_id ?? '';
    return { ...kind, ends, catalog: version, deploymentId, journals };
  } finally {
    await catalog.dispose();
  }
}

/** Undefined where the task has fewer such points. */
async function dieAt(house: House, scenario: Scenario, index: number): Promise<RecordedJournal | undefined> {
  const died = Promise.withResolvers<string>();
  let seen = 0;
  let armed: string | undefined;
  try {
    const taskmanager = await house.taskmanager({
      faults: (point) => {
        if (point.kind !== scenario.kind || !POINTS.includes(point.at) || point.taskId === armed) return;
        seen += 1;
        if (seen <= index) return;
        died.resolve(`${point.step ?? 'end'} ${point.at}`);
        throw new Error('killed');
      },
    });
    const serving = async (): Promise<string> => {
      const made = await fileCreate(house);
      armed = made.taskId;
      await ended(house, made.taskId);
      return made.id;
    };
    if (scenario.refused !== undefined) house.world.guestFaults.fail.set(...scenario.refused);
    const filed = await scenario.file(house, serving);
    const point = await Promise.race([died.promise, ended(house, filed.taskId).then(() => undefined)]);
    await taskmanager.close();
    return point === undefined ? undefined : await recordJournal(house, point, filed);
  } finally {
    await house.dispose();
  }
}
