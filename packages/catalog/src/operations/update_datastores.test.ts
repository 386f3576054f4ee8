import { syncCatalog } from '@trove/migrations';
import { loadTroveHead } from '@trove/migrations/testing';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type TestCatalog, testCatalog } from '../testing.ts';
import { withTransaction } from '../transaction.ts';
import { listDatastores } from './read_datastores.ts';
import { updateDatastore } from './update_datastore.ts';
import { type DatastoreVersionUpdate, updateDatastoreVersion } from './update_datastore_version.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const mysql56: DatastoreVersionUpdate = {
  datastore: 'mysql',
  name: '5.6',
  manager: 'mysql',
  imageId: 'image-1',
  packages: 'mysql-server-5.6',
  active: true,
};
let catalog: TestCatalog;
const datastore = (name: string, defaultVersion: string) =>
  withTransaction(catalog, (tx) => updateDatastore(tx, { name, defaultVersion }));
const version = (change: Partial<DatastoreVersionUpdate> = {}) =>
  withTransaction(catalog, (tx) => updateDatastoreVersion(tx, { ...mysql56, ...change }));

afterEach(async () => {
  await catalog.dispose();
});

describe.each(['mysql', 'sqlite'] as const)('datastores on %s', (dialect) => {
  test('a datastore is made, then its version, then the version is its default', async () => {
    catalog = await testCatalog(dialect);
    const id = await datastore('mysql', '');
    const versionId = await version();
    expect(await datastore('mysql', '5.6')).toBe(id);
    expect(await listDatastores(catalog.knex)).toEqual([
      {
        id,
        name: 'mysql',
        default_version_id: versionId,
        versions: [
          {
            id: versionId,
            datastore_id: id,
            name: '5.6',
            version: '5.6',
            image_id: 'image-1',
            image_tags: null,
            packages: 'mysql-server-5.6',
            active: 1,
            manager: 'mysql',
          },
        ],
      },
    ]);
  });

  test('the same version again is changed, not made twice', async () => {
    catalog = await testCatalog(dialect);
    await datastore('mysql', '');
    const id = await version();
    expect(await version({ imageId: 'image-2', active: false })).toBe(id);
    expect(await catalog.knex('datastore_versions').select('image_id', 'active')).toEqual([
      { image_id: 'image-2', active: 0 },
    ]);
  });

  test('versions of one name are told apart by their number', async () => {
    catalog = await testCatalog(dialect);
    await datastore('mysql', '');
    const ids = [
      await version({ version: '5.6.1' }),
      await version({ version: '5.6.2' }),
      await version({ version: '5.6.1' }),
    ];
    expect([new Set(ids).size, ids[0] === ids[2]]).toEqual([2, true]);
    await expect(version()).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(datastore('mysql', '5.6')).rejects.toMatchObject({ code: 'CONFLICT' });
    await datastore('mysql', ids[1] ?? '');
    expect((await listDatastores(catalog.knex))[0]?.default_version_id).toBe(ids[1]);
  });

  test('what is not there, or does not fit, is refused and leaves nothing', async () => {
    catalog = await testCatalog(dialect);
    await expect(version()).rejects.toMatchObject({ code: 'DATASTORE_NOT_FOUND' });
    await expect(datastore('mysql', 'none')).rejects.toMatchObject({ code: 'DATASTORE_VERSION_NOT_FOUND' });
    expect(await listDatastores(catalog.knex)).toEqual([]);
    await datastore('mysql', '');
    await expect(version({ imageId: 'x'.repeat(37) })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await expect(datastore('x'.repeat(256), '')).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });
});

test('a version is made in the catalog of a later Trove too, whose columns take no NULL', async () => {
  catalog = await testCatalog('mysql', 0);
  await loadTroveHead(catalog.knex);
  await syncCatalog(catalog.knex);
  const id = await version({ name: '8.0' });
  expect(await catalog.knex('datastore_versions').where({ id }).first('name', 'registry_ext', 'repl_strategy')).toEqual(
    { name: '8.0', registry_ext: '', repl_strategy: '' },
  );
  expect(await version()).toBe('4a881cb5-9e48-4cb2-a209-4283ed44eb01');
});
