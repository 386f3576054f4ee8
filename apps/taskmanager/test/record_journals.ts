import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { catalogVersion } from '@trove/catalog';
import { ended, type House, openHouse, openTestCatalog } from './house.ts';
import { type RecordedJournal, type Recording, recordJournal } from './journals.ts';
import { kindsOfRelease } from './kinds_of_release.ts';
import { begin, happening, isSecure, pointOf, type Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';
import { openWorkers } from './worker.ts';

const FOLDER = join(import.meta.dirname, 'fixtures', 'journals');
/** A guest at which nothing is seen so often has nothing to do. */
const AT_REST_LOOKS = 5;
const POINTS: readonly string[] = ['after_run', 'after_undo', 'before_end'];

/**
 * Of these scenarios, default all, into `folder`, default a new one beside the recordings of the releases before, which stay.
 * Tells how many journals of each scenario.
 */
export async function recordJournals(
  say: (line: string) => void,
  {
    folder = nextFolder(),
    names = SCENARIOS.map(({ name }) => name),
  }: { folder?: string; names?: readonly string[] } = {},
): Promise<void> {
  mkdirSync(join(FOLDER, folder), { recursive: true });
  for (const name of names) {
    const scenario = SCENARIOS.find((one) => one.name === name);
    if (scenario === undefined) throw new RangeError(`there is no scenario ${name}`);
    const { journals, ...head } = await record(scenario);
    const lines = journals.map((journal) => JSON.stringify(journal)).join(',\n');
    const text = `${JSON.stringify(head).slice(0, -1)},"journals":[\n${lines}\n]}\n`;
    writeFileSync(join(FOLDER, folder, `${name}.json`), text);
    say(`${name}: ${journals.length} journals`);
  }
}

function nextFolder(): string {
  const newest = Math.max(0, ...readdirSync(FOLDER).map((name) => Number.parseInt(name, 10) || 0));
  return String(newest + 1).padStart(3, '0');
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
  const workers = openWorkers(house);
  const died = Promise.withResolvers<string>();
  const happen = happening(house, scenario);
  let seen = 0;
  try {
    const filed = await begin(house, workers, scenario);
    const worker = workers.open({
      secure: isSecure(scenario),
      faults: async (point) => {
        await happen(point, filed);
        if (point.taskId !== filed.taskId || !POINTS.includes(point.at)) return;
        seen += 1;
        if (seen <= index) return;
        died.resolve(pointOf(point));
        throw new Error('killed');
      },
    });
    const point = await Promise.race([died.promise, ended(house, filed.taskId, 120_000).then(() => undefined)]);
    await worker.close();
    if (point === undefined) return undefined;
    await guestsAtRest(house);
    return await recordJournal(house, point, filed);
  } finally {
    await workers.close();
    await house.dispose();
  }
}

/**
 * What is on its way to a guest, or what it is at, is in no recording: a request that came in and was never answered to would
 * be one that was lost. So what is recorded is what the guest has made of it.
 */
async function guestsAtRest({ world }: House): Promise<void> {
  for (let rested = 0; rested < AT_REST_LOOKS; rested += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (world.guestFaults.atWork > 0) rested = 0;
  }
}
