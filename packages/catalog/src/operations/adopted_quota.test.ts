import { isTroveError, newUuid } from '@trove/common';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Catalog, openCatalog } from '../catalog.ts';
import { type TestCatalog, testCatalog } from '../testing.ts';
import { withTransaction } from '../transaction.ts';
import { insertInstance } from './insert_instance.ts';
import { reserveGrowth, reserveQuota } from './reserve_quota.ts';
import { commitQuota, releaseQuota } from './settle_quota.ts';

const PROJECT = 'p1';
const AMOUNTS = { instances: 1, ram: 512, volumes: 3 };
const UNLIMITED = { instances: -1, ram: -1, volumes: -1 };
const RAM = new Map([['1', 512]]);
const ramOf = (flavorId: string): number => RAM.get(flavorId) ?? 0;
type Row = Partial<Record<'in_use' | 'reserved', number | null>>;

describe.each(['mysql', 'sqlite'] as const)('usage of an adopted catalog on %s', (dialect) => {
  let catalog: TestCatalog;
  let apis: Catalog[];
  beforeAll(async () => {
    catalog = await testCatalog(dialect);
    // SQLite is for one process.
    apis = dialect === 'sqlite' ? [catalog, catalog] : [openCatalog({ connection: catalog.connection }), catalog];
  });
  afterAll(async () => {
    if (apis[0] !== catalog) await apis[0]?.close();
    await catalog.dispose();
  });
  beforeEach(async () => {
    for (const table of ['quota_usages', 'reservations', 'instances']) await catalog.knex(table).delete();
    const adopted = { tenant_id: PROJECT, deleted: 0, task_id: 1, rpc_policy: 0, flavor_id: '1', volume_size: 3 };
    for (const other of [
      {},
      { flavor_id: "nova's", volume_size: 5 },
      { volume_size: null },
      { deleted: 1 },
      { tenant_id: 'p2' },
    ])
      await catalog.knex('instances').insert({ id: newUuid(), ...adopted, ...other });
  });

  const create = async (api: Catalog, limits = UNLIMITED): Promise<boolean> => {
    const id = newUuid();
    const of = { id, name: 'm', tenant_id: PROJECT, flavor_id: '1', volume_size: 3, region_id: null, access: null };
    try {
      await withTransaction(api, async (tx) => {
        await reserveQuota(tx, { projectId: PROJECT, instanceId: id, amounts: AMOUNTS, defaults: limits, ramOf });
        await insertInstance(tx, { ...of, datastore_version_id: null });
      });
      return true;
    } catch (error) {
      if (isTroveError(error, 'QUOTA_EXCEEDED')) return false;
      throw error;
    }
  };
  const books = async (): Promise<unknown> => {
    const rows = await catalog.knex('quota_usages').where({ tenant_id: PROJECT }).orderBy('resource').select();
    return rows.map(({ resource, in_use, reserved }) => [resource, in_use, reserved]);
  };
  const plant = async (rows: Readonly<Record<string, Row>>): Promise<void> => {
    for (const [resource, row] of Object.entries(rows))
      await catalog.knex('quota_usages').insert({ id: newUuid(), tenant_id: PROJECT, resource, ...row });
  };

  const EMPTY: Row = { in_use: null, reserved: null };
  const planted: Record<string, Record<string, Row>> = {
    'is missing': {},
    'is NULL': { instances: EMPTY, ram: EMPTY, volumes: EMPTY },
    'is missing for some and NULL for others': { instances: EMPTY, volumes: { in_use: null, reserved: 0 } },
  };

  test.each(Object.keys(planted))(
    'that %s is counted at the first create, by several apis at once too',
    async (how) => {
      await plant(planted[how] ?? {});
      const limits = { instances: 7, ram: -1, volumes: -1 };
      const tried = await Promise.all(
        Array.from({ length: 10 }, (_, index) => create(apis[index % 2] ?? catalog, limits)),
      );
      expect(tried.filter(Boolean), 'three were there').toHaveLength(4);
      expect(await books()).toEqual([
        ['backups', 0, 0],
        ['instances', 3, 4],
        ['ram', 1024, 2048],
        ['volumes', 8, 12],
      ]);
    },
  );

  test('that is counted already stays, also where one resource is not', async () => {
    await plant({ instances: { in_use: 2, reserved: 1 }, ram: { in_use: 4096, reserved: 0 } });
    expect(await create(catalog)).toBe(true);
    expect(await books()).toEqual([
      ['backups', 0, 0],
      ['instances', 2, 2],
      ['ram', 4096, 512],
      ['volumes', 8, 3],
    ]);
  });

  test('is counted at the first resize too; a delete before that leaves it to be counted', async () => {
    const { id } = await catalog
      .knex('instances')
      .where({ tenant_id: PROJECT, deleted: 0, volume_size: 3 })
      .first('id');
    const more = { projectId: PROJECT, instanceId: id, amounts: { instances: 0, ram: 0, volumes: 2 } };
    await withTransaction(catalog, async (tx) => {
      await releaseQuota(tx, { projectId: PROJECT, instanceId: newUuid(), amounts: AMOUNTS });
      await commitQuota(tx, { projectId: PROJECT, instanceId: newUuid() });
    });
    expect(await books(), 'written, and not counted').toEqual([
      ['backups', null, 0],
      ['instances', null, 0],
      ['ram', null, 0],
      ['volumes', null, 0],
    ]);
    await expect(
      withTransaction(catalog, (tx) => reserveGrowth(tx, { ...more, defaults: { ...UNLIMITED, volumes: 9 }, ramOf })),
    ).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    await withTransaction(catalog, (tx) => reserveGrowth(tx, { ...more, defaults: UNLIMITED, ramOf }));
    expect(await books()).toEqual([
      ['backups', 0, 0],
      ['instances', 3, 0],
      ['ram', 1024, 0],
      ['volumes', 8, 2],
    ]);
  });

  test('is counted after a delete that has begun, and not before it has ended', async () => {
    const { id } = await catalog
      .knex('instances')
      .where({ tenant_id: PROJECT, deleted: 0, volume_size: 5 })
      .first('id');
    const [released, ends] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const amounts = { instances: 1, ram: 0, volumes: 5 };
    const deletion = withTransaction(catalog, async (tx) => {
      await releaseQuota(tx, { projectId: PROJECT, instanceId: id, amounts });
      released.resolve();
      await ends.promise;
      await tx('instances').where({ id }).update({ deleted: 1 });
    });
    await released.promise;
    const made = create(apis[0] ?? catalog);
    await Promise.race([made, new Promise((resolve) => setTimeout(resolve, 500))]);
    ends.resolve();
    await deletion;
    expect(await made).toBe(true);
    expect(await books()).toEqual([
      ['backups', 0, 0],
      ['instances', 2, 1],
      ['ram', 1024, 512],
      ['volumes', 3, 3],
    ]);
  });
});
