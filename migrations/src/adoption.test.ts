import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { catalogVersion, downgradeCatalog, LATEST_VERSION, syncCatalog } from './index.ts';
import { emptyDatabase, loadTroveDump, loadTroveHead, readAllRows } from './testing.ts';

// Each test makes databases of its own on a server that others use too.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: Awaited<ReturnType<typeof emptyDatabase>>;

beforeEach(async () => {
  database = await emptyDatabase();
});
afterEach(async () => {
  await database.dispose();
});

describe.each([
  ['version 40', (): Promise<void> => loadTroveDump(database.knex, 40), 40],
  ['version 48', (): Promise<void> => loadTroveDump(database.knex, 48), 48],
  ['its alembic head', (): Promise<void> => loadTroveHead(database.knex), 48],
] as const)('a catalog that Trove left at %s', (_name, load, version) => {
  test('is taken over with no row changed, and Trove still finds its own version in it', async () => {
    await load();
    const before = await readAllRows(database.knex);
    expect(await catalogVersion(database.knex)).toBe(version);
    await syncCatalog(database.knex);
    expect(await readAllRows(database.knex, before)).toEqual(before);
    expect(await catalogVersion(database.knex)).toBe(LATEST_VERSION);
  });

  test('has policy 1 where an instance has a key, and 0 elsewhere', async () => {
    await load();
    await syncCatalog(database.knex);
    const rows: { name: string; rpc_policy: number }[] = await database
      .knex('instances')
      .select('name', 'rpc_policy')
      .orderBy('name');
    expect(rows.map((row) => [row.name, row.rpc_policy])).toEqual(
      version === 40
        ? [
            ['m2', 0],
            ['m3', 0],
            ['m4', 0],
          ]
        : [
            ['m10', 0],
            ['m2', 0],
            ['m20', 1],
            ['m3', 0],
            ['m4', 0],
          ],
    );
  });

  test('is not taken below what Trove handed over', async () => {
    await load();
    await syncCatalog(database.knex);
    await expect(downgradeCatalog(database.knex, { to: version - 1 || 0, dropKeys: true })).rejects.toThrow(
      version === 40 ? 'no version 39' : 'Trove itself',
    );
    await expect(downgradeCatalog(database.knex, { to: 0, dropKeys: true })).rejects.toThrow('Trove itself');
    await downgradeCatalog(database.knex, { to: version });
    expect(await catalogVersion(database.knex)).toBe(version);
  });
});

describe('a catalog that cannot be taken over is refused with what to do, and left as it is', () => {
  test.each([
    ['UPDATE migrate_version SET version = 39', /migrate_version 39; 40 to 48/],
    ['UPDATE migrate_version SET version = 49', /migrate_version 49/],
    [
      'CREATE TABLE alembic_version (version_num varchar(32)); INSERT INTO alembic_version VALUES (?)',
      /alembic revision 7ee6154548a6; only 95418fe2a1c8/,
    ],
    ['DROP TABLE migrate_version', /neither migrate_version nor alembic_version/],
  ])('%s', async (change, message) => {
    await loadTroveDump(database.knex, 48);
    for (const statement of change.split('; '))
      await database.knex.raw(statement, statement.includes('?') ? ['7ee6154548a6'] : []);
    const before = await readAllRows(database.knex);
    await expect(syncCatalog(database.knex)).rejects.toThrow(message);
    await expect(catalogVersion(database.knex)).rejects.toThrow(message);
    expect(await readAllRows(database.knex)).toEqual(before);
  });
});

test('keys are not dropped unless it is asked for', async () => {
  await loadTroveDump(database.knex, 40);
  await syncCatalog(database.knex, { to: 41 });
  await downgradeCatalog(database.knex, { to: 40 });
  await syncCatalog(database.knex);
  await database.knex('instances').where({ name: 'm2' }).update({ encrypted_key: 'v2.00000000.1.x.y', rpc_policy: 2 });
  await expect(downgradeCatalog(database.knex, { to: 48 })).rejects.toThrow(/keys of 1 instance,.*--drop-keys/);
  await database.knex('instances').where({ name: 'm3' }).update({ encrypted_key: 'Trove has one' });
  await expect(downgradeCatalog(database.knex, { to: 40 })).rejects.toThrow(/keys of 2 instances/);
  expect(await catalogVersion(database.knex)).toBe(LATEST_VERSION);
  await downgradeCatalog(database.knex, { to: 41, dropKeys: true });
  expect(await database.knex('instances').whereNotNull('encrypted_key').pluck('name')).toEqual(['m3']);
  await expect(downgradeCatalog(database.knex, { to: 40 })).rejects.toThrow(/keys of 1 instance,/);
  await downgradeCatalog(database.knex, { to: 40, dropKeys: true });
  await syncCatalog(database.knex);
  expect(await database.knex('instances').whereNotNull('encrypted_key')).toEqual([]);
});

test('a row that the earlier version cannot hold stops the way down by name, and the way up is open again', async () => {
  await syncCatalog(database.knex);
  await database.knex('datastores').insert({ id: 'd', name: 'mysql' });
  await database.knex('datastore_versions').insert({ id: 'v', datastore_id: 'd', name: '5.6', active: 1 });
  await expect(downgradeCatalog(database.knex, { to: 40 })).rejects.toThrow('datastore_versions.image_id is NULL');
  await syncCatalog(database.knex);
  expect(await catalogVersion(database.knex)).toBe(LATEST_VERSION);
});

test.each([39, 49, 99, LATEST_VERSION + 1])('version %i is none', async (to) => {
  await expect(syncCatalog(database.knex, { to })).rejects.toThrow(`no version ${to}; there are 40, 41,`);
});

test('sync does not go down, and downgrade does not go up', async () => {
  await syncCatalog(database.knex, { to: 44 });
  await expect(syncCatalog(database.knex, { to: 41 })).rejects.toThrow('use db_downgrade');
  await expect(downgradeCatalog(database.knex, { to: 46 })).rejects.toThrow('use db_sync');
});

test('a catalog that a newer release has taken further, or is taking, is left alone', async () => {
  const newer = LATEST_VERSION + 1;
  await syncCatalog(database.knex, { to: 40 });
  for (const state of [
    { version: newer, moving_to: null },
    { version: LATEST_VERSION, moving_to: newer },
  ]) {
    await database.knex('catalog_version').update(state);
    const refusal = `a newer release has taken the catalog to ${newer}, and this one knows versions up to`;
    await expect(syncCatalog(database.knex)).rejects.toThrow(refusal);
    await expect(downgradeCatalog(database.knex, { to: 0, dropKeys: true })).rejects.toThrow(refusal);
    expect(await database.knex('catalog_version').first('version', 'moving_to')).toEqual(state);
  }
});

test('there is nothing to take back where db_sync was never run', async () => {
  await expect(downgradeCatalog(database.knex, { to: 40 })).rejects.toThrow('db_sync has not been run');
});
