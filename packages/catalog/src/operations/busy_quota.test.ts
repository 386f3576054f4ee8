import { isTroveError, newUuid } from '@trove/common';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Catalog, openServiceCatalog } from '../catalog.ts';
import { correctQuota } from '../reconcile/correct_quota.ts';
import { type TestCatalog, testCatalog } from '../testing.ts';
import { withTransaction } from '../transaction.ts';
import { insertInstance } from './insert_instance.ts';
import { QUOTA_RESOURCES } from './quota.ts';
import { reserveGrowth, reserveQuota } from './reserve_quota.ts';
import { commitQuota, releaseQuota, settleGrowth } from './settle_quota.ts';

const PROJECT = 'p1';
const CREATES = 60;
const IN_FLIGHT = 40;
const SIZE = 3;
const MORE = 2;
const ramOf = (): number => 512;

describe('one project that many work on at one time', () => {
  let catalog: TestCatalog;
  let services: Catalog[];
  /** Transactions that the database has ended for the sake of another. */
  let deadlocks: number;
  beforeAll(async () => {
    catalog = await testCatalog('mysql');
    services = Array.from({ length: 4 }, () => openServiceCatalog(catalog.connection, { acquireTimeoutMs: 60_000 }));
    for (const { knex } of services)
      knex.on('query-error', (error: { errno?: number }) => {
        if (error.errno === 1213) deadlocks += 1;
      });
  });
  afterAll(async () => {
    await Promise.all(services.map((service) => service.close()));
    await catalog.dispose();
  });
  beforeEach(async () => {
    deadlocks = 0;
    for (const table of ['quota_usages', 'reservations', 'instances']) await catalog.knex(table).delete();
  });

  const create = async (service: Catalog, limit: number): Promise<string | undefined> => {
    const id = newUuid();
    const row = { id, name: 'm', tenant_id: PROJECT, flavor_id: '1', volume_size: SIZE, datastore_version_id: null };
    const amounts = { instances: 1, ram: ramOf(), volumes: SIZE };
    try {
      await withTransaction(service, async (tx) => {
        const defaults = { instances: limit };
        await reserveQuota(tx, { projectId: PROJECT, instanceId: id, amounts, defaults, ramOf });
        await insertInstance(tx, { ...row, region_id: null, access: null });
      });
      return id;
    } catch (error) {
      if (isTroveError(error, 'QUOTA_EXCEEDED')) return undefined;
      throw error;
    }
  };
  const grow = async (service: Catalog, instanceId: string): Promise<void> => {
    const of = { projectId: PROJECT, instanceId };
    const change = { volumes: MORE };
    await withTransaction(service, (tx) => reserveGrowth(tx, { ...of, amounts: change, defaults: {}, ramOf }));
    await withTransaction(service, async (tx) => {
      await settleGrowth(tx, { ...of, change, done: true });
      await tx('instances')
        .where({ id: instanceId })
        .update({ volume_size: SIZE + MORE });
    });
  };
  const remove = (service: Catalog, instanceId: string): Promise<void> =>
    withTransaction(service, async (tx) => {
      const amounts = { instances: 1, ram: ramOf(), volumes: SIZE };
      await releaseQuota(tx, { projectId: PROJECT, instanceId, amounts });
      await tx('instances').where({ id: instanceId }).update({ deleted: 1 });
    });
  const atOneTime = async (work: (service: Catalog, nth: number) => Promise<void>): Promise<void> => {
    const left = Array.from({ length: CREATES }, (_, nth) => nth).values();
    const worker = async (service: Catalog): Promise<void> => {
      for (const nth of left) await work(service, nth);
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, (_, at) => worker(services[at % 4] ?? catalog)));
  };
  const books = async (): Promise<unknown> => {
    const rows = await catalog.knex('quota_usages').where({ tenant_id: PROJECT }).orderBy('resource').select();
    return rows.map(({ resource, in_use, reserved }) => [resource, in_use, reserved]);
  };

  test('has as many as fit, and the books of what is there, whatever ends or grows meanwhile; nobody is refused for the crowd', async () => {
    // Read in the order of their ids, these are locked in the opposite of the order in which they are looked up.
    for (const [at, resource] of QUOTA_RESOURCES.entries())
      await catalog.knex('quota_usages').insert({ id: `${9 - at}`, tenant_id: PROJECT, resource, in_use: null });
    const limit = CREATES / 2;
    const counts = { made: 0, grown: 0, removed: 0 };
    await atOneTime(async (service, nth) => {
      const id = await create(service, limit);
      if (id === undefined) return;
      counts.made += 1;
      if (nth % 2 === 0)
        await withTransaction(service, (tx) => commitQuota(tx, { projectId: PROJECT, instanceId: id }));
      if (nth % 4 === 0) {
        await grow(service, id);
        counts.grown += 1;
      }
      if (nth % 4 === 1 || nth % 8 === 2) {
        await remove(service, id);
        counts.removed += 1;
      }
    });
    while ((await create(catalog, limit)) !== undefined) counts.made += 1;
    expect(deadlocks).toBe(0);
    expect(counts.made - counts.removed).toBe(limit);
    expect(await catalog.knex('instances').where({ deleted: 0 }).select('id')).toHaveLength(limit);
    const total = (await books()) as [string, number, number][];
    expect(total.map(([resource, inUse, reserved]) => [resource, inUse + reserved])).toEqual([
      ['backups', 0],
      ['instances', limit],
      ['ram', limit * ramOf()],
      ['volumes', limit * SIZE + counts.grown * MORE],
    ]);
    expect(await withTransaction(catalog, (tx) => correctQuota(tx, { projectId: PROJECT, ramOf }))).toEqual([]);
  });

  test('and has no usage yet takes exactly what fits, also where the first of them are taken back', async () => {
    for (const limit of [0, 1]) {
      const made: string[] = [];
      await atOneTime(async (service) => {
        const id = await create(service, limit);
        if (id !== undefined) made.push(id);
      });
      expect([made.length, deadlocks]).toEqual([limit, 0]);
      expect((await catalog.knex('instances').select('id')).map(({ id }) => id)).toEqual(made);
    }
    expect(await books()).toEqual([
      ['backups', 0, 0],
      ['instances', 0, 1],
      ['ram', 0, 512],
      ['volumes', 0, 3],
    ]);
  });
});
