import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { downgradeCatalog, LATEST_VERSION, syncCatalog } from './index.ts';
import { describeTables, emptyDatabase, loadTroveDump } from './testing.ts';

// Each test makes databases of its own on a server that others use too.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const NOT_TROVES = ['migrate_version', 'catalog_version'];
let ours: Awaited<ReturnType<typeof emptyDatabase>>;
let troves: Awaited<ReturnType<typeof emptyDatabase>>;

beforeEach(async () => {
  [ours, troves] = await Promise.all([emptyDatabase(), emptyDatabase()]);
});
afterEach(async () => {
  await Promise.all([ours.dispose(), troves.dispose()]);
});

test.each([40, 48] as const)(
  'a catalog that we made up to %i has the tables that Trove made: columns, types, indexes, constraints, charset',
  async (version) => {
    await syncCatalog(ours.knex, { to: version });
    await loadTroveDump(troves.knex, version);
    expect(await describeTables(ours.knex, NOT_TROVES)).toEqual(await describeTables(troves.knex, NOT_TROVES));
  },
);

test("Trove's own 40 taken on to 48 is Trove's own 48", async () => {
  await loadTroveDump(ours.knex, 40);
  await syncCatalog(ours.knex, { to: 48 });
  await loadTroveDump(troves.knex, 48);
  expect(await describeTables(ours.knex, NOT_TROVES)).toEqual(await describeTables(troves.knex, NOT_TROVES));
});

test('all the way up and down again, nothing of the way is left', async () => {
  await syncCatalog(ours.knex);
  await downgradeCatalog(ours.knex, { to: 40 });
  await loadTroveDump(troves.knex, 40);
  expect(await describeTables(ours.knex, NOT_TROVES)).toEqual(await describeTables(troves.knex, NOT_TROVES));
});

test('the key column is the 24th of instances, varchar(255), and may be NULL', async () => {
  await syncCatalog(ours.knex, { to: 41 });
  const { instances = [] } = await describeTables(ours.knex);
  expect(instances[24]).toBe('  `encrypted_key` varchar(255) DEFAULT NULL');
});

test('a second sync does nothing, and says nothing', async () => {
  const steps: string[] = [];
  const onDone = ({ from, to }: { from: number; to: number }): void => void steps.push(`${from} -> ${to}`);
  await syncCatalog(ours.knex, { to: 41, onDone });
  expect(steps).toEqual(['0 -> 40', '40 -> 41']);
  await syncCatalog(ours.knex, { to: 41, onDone });
  expect(steps).toHaveLength(2);
  await syncCatalog(ours.knex, { onDone });
  expect(steps.at(-1)).toMatch(new RegExp(` -> ${LATEST_VERSION}$`));
});

test('our ids have the charset and collation of instances.id, so that a join finds its index; our other text is utf8mb4', async () => {
  await loadTroveDump(ours.knex, 48, 'latin1_swedish_ci');
  await syncCatalog(ours.knex);
  const described = await describeTables(ours.knex);
  expect(described['tasks']).toContain(
    '  `instance_id` varchar(36) CHARACTER SET latin1 COLLATE latin1_swedish_ci NOT NULL',
  );
  expect(described['instance_reports']?.[1]).toContain('latin1_swedish_ci');
  expect(described['tasks']).toContain('  `params` longtext NOT NULL');
  expect(described['tasks']?.at(-1)).toContain('CHARSET=utf8mb4 COLLATE=utf8mb4_bin');
  expect(described['instances']?.find((line) => line.includes('active_task_id'))).toBe(
    '  `active_task_id` varchar(36) DEFAULT NULL',
  );
});
