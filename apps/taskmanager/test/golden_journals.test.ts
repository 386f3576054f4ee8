import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { syncCatalog, type TaskRow } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { memoryBrokerAccounts, restoreAccounts } from '../src/index.ts';
import { ended, type House, instanceOf, openHouse } from './house.ts';
import { type RecordedJournal, type Recording, restoreDatastores, restoreRows, restoreWorld } from './journals.ts';
import { kindsOfRelease } from './kinds_of_release.ts';
import { type FaultPoint, happening, isSecure, settled } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';

const FOLDER = join(import.meta.dirname, 'fixtures', 'journals');
const RELEASES = readdirSync(FOLDER).toSorted();
const RECORDINGS = RELEASES.flatMap((release) =>
  readdirSync(join(FOLDER, release)).map((file) => [`${release}/${file}`, read(join(FOLDER, release, file))] as const),
);

function read(path: string): Recording {
  return JSON.parse(readFileSync(path, 'utf8')) as Recording;
}

let catalog: TestCatalog | undefined;
let house: House | undefined;
afterEach(async () => {
  await house?.dispose();
  await catalog?.dispose();
  [house, catalog] = [undefined, undefined];
});

/** The catalog and the world as the dead worker left them, migrated to this release. */
async function restore(recording: Recording, journals: readonly RecordedJournal[]): Promise<House> {
  catalog = await testCatalog('sqlite', recording.catalog);
  await restoreDatastores(catalog, journals);
  for (const journal of journals) await restoreRows(catalog, journal);
  await syncCatalog(catalog.knex);
  await catalog.knex('deployment').update({ deployment_id: recording.deploymentId });
  const restored = openHouse(catalog);
  house = restored;
  restored.world.guestFaults.reportsEveryMs = 500;
  const running = journals.flatMap((journal) => restoreWorld(restored.world, journal));
  const accounts = memoryBrokerAccounts(restored.broker, async () => recording.deploymentId);
  await restoreAccounts({ catalog, compute: restored.world, accounts, rings: restored.rings });
  await accounts.close();
  for (const id of running) await restored.world.startServer(id, new AbortController().signal);
  return restored;
}

describe('a task that a worker of an earlier release has left', () => {
  test.each(RECORDINGS)('%s is resumed to its end', { timeout: 120_000 }, async (file, recording) => {
    const here = await restore(recording, recording.journals);
    const scenario = SCENARIOS.find(({ name }) => file.endsWith(`/${name}.json`));
    if (scenario === undefined) throw new Error('test/scenarios.ts has no line of this name any more');
    const { world } = here;
    scenario.conditions?.(world);
    const happens = new Map(recording.journals.map(({ taskId }) => [taskId, happening(here, scenario)]));
    const faults = async (point: FaultPoint): Promise<void> => {
      const journal = recording.journals.find(({ taskId }) => taskId === point.taskId);
      if (journal !== undefined) await happens.get(point.taskId)?.(point, { ...journal, id: journal.instanceId });
    };
    // What was lost was asked long ago. What is asked now has its time, also where the machine is slow: silence has consequences.
    await here.taskmanager({ secure: isSecure(scenario), faults, highTimeout: 20 });
    for (const { point, taskId, instanceId } of recording.journals) {
      const task = await ended(here, taskId, 60_000);
      expect(task.state, `${point}: ${task.error}`).toBe(recording.ends);
      const { leaves } = scenario;
      await settled(here, instanceId);
      const servers = [...world.servers.values()].filter((server) => server.instanceId === instanceId);
      const row = await instanceOf(here, instanceId);
      expect([row.active_task_id, row.deleted], point).toEqual([null, leaves === 'deleted' ? 1 : 0]);
      expect(
        servers.map(({ id }) => id),
        point,
      ).toEqual(leaves === 'serving' ? [row.compute_instance_id] : []);
      const effects = world.volumes.get(row.volume_id ?? '')?.effects ?? [];
      expect(new Set(effects).size, point).toBe(effects.length);
    }
    expect(world.snapshots.size > 0).toBe(scenario.owes === 'snapshot');
  });

  test('that has a step which this release does not know is parked, and says so', async () => {
    const found = RECORDINGS.map(([, recording]) => recording).find(({ kind }) => kind === 'upgrade_instance');
    const journal = found?.journals[3];
    if (found === undefined || journal === undefined) throw new Error('no recording of an upgrade');
    const steps = journal.tables['task_steps']?.map((step) => ({ ...step, name: `${step['name']}_of_old` }));
    const tables = { ...journal.tables, task_steps: steps ?? [] };
    const here = await restore(found, [{ ...journal, tables }]);
    await here.taskmanager();
    const parked = async (): Promise<TaskRow | undefined> =>
      here.catalog.knex<TaskRow>('tasks').where({ id: journal.taskId, state: 'waiting' }).whereNotNull('error').first();
    await expect.poll(parked, { timeout: 10_000 }).toBeDefined();
    expect(JSON.parse((await parked())?.error ?? '{}')).toMatchObject({
      parked: true,
      message: expect.stringContaining(`has no step "${steps?.[0]?.name}"`),
    });
  });
});

describe('each kind of task', () => {
  test.each(kindsOfRelease())('$kind is recorded with the steps that it has now', ({ kind, codeVersion, steps }) => {
    const names = SCENARIOS.filter((scenario) => scenario.kind === kind).map(({ name }) => name);
    expect(names, `${kind} has no line in test/scenarios.ts: it is neither killed nor recorded`).not.toEqual([]);
    for (const name of names) {
      const [, newest] = RECORDINGS.findLast(([file]) => file.endsWith(`/${name}.json`)) ?? [];
      expect(
        newest && { codeVersion: newest.codeVersion, steps: newest.steps },
        `the steps of ${kind} are not those of its newest journals. Where an older journal cannot be resumed with them,
        raise the kind's codeVersion. Then run: node scripts/record_journals.ts
        and commit the new folder beside the older ones, which stay and must still be resumed.`,
      ).toEqual({ codeVersion, steps });
    }
  });
});
