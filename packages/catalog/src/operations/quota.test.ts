import { newUuid } from '@trove/common';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { correctQuota } from '../reconcile/correct_quota.ts';
import { type TestCatalog, testCatalog } from '../testing.ts';
import { withTransaction } from '../transaction.ts';
import { reserveGrowth, reserveQuota } from './reserve_quota.ts';
import { commitQuota, releaseQuota, settleGrowth } from './settle_quota.ts';

const PROJECT = 'p1';
const amounts = { instances: 1, ram: 512, volumes: 3 };
const unlimited = { instances: -1, ram: -1, volumes: -1 };

describe.each(['mysql', 'sqlite'] as const)('the life of a reservation on %s', (dialect) => {
  let catalog: TestCatalog;
  let instanceId: string;
  beforeAll(async () => {
    catalog = await testCatalog(dialect);
  });
  afterAll(() => catalog.dispose());
  beforeEach(async () => {
    for (const table of ['quota_usages', 'reservations', 'instances', 'tasks']) await catalog.knex(table).delete();
    instanceId = newUuid();
    await reserve(instanceId);
  });

  const owner = () => ({ projectId: PROJECT, instanceId });
  const reserve = (id: string) =>
    withTransaction(catalog, (tx) =>
      reserveQuota(tx, { projectId: PROJECT, instanceId: id, amounts, defaults: unlimited, ramOf: () => 512 }),
    );
  const books = async () => {
    const rows = await catalog
      .knex('quota_usages')
      .whereNot({ resource: 'backups' })
      .orderBy('resource')
      .select('in_use', 'reserved');
    return rows.map(({ in_use, reserved }) => [in_use, reserved]);
  };

  test('what was reserved is in use after the create has ended, once', async () => {
    expect(await books()).toEqual([
      [0, 1],
      [0, 512],
      [0, 3],
    ]);
    for (let i = 0; i < 2; i += 1) await withTransaction(catalog, (tx) => commitQuota(tx, owner()));
    expect(await books()).toEqual([
      [1, 0],
      [512, 0],
      [3, 0],
    ]);
  });

  test('a delete frees what is in use', async () => {
    await withTransaction(catalog, (tx) => commitQuota(tx, owner()));
    await withTransaction(catalog, (tx) => releaseQuota(tx, { ...owner(), amounts }));
    expect(await books()).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  });

  test('a delete of a build that never ended frees what was reserved', async () => {
    await withTransaction(catalog, (tx) => releaseQuota(tx, { ...owner(), amounts }));
    expect(await books()).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
    await withTransaction(catalog, (tx) => commitQuota(tx, owner()));
    expect(await books()).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  });

  test('an adopted instance without a reservation is freed too, and usage never goes below 0', async () => {
    await withTransaction(catalog, (tx) => commitQuota(tx, owner()));
    for (let i = 0; i < 2; i += 1) {
      const adopted = { projectId: PROJECT, instanceId: newUuid(), amounts };
      await withTransaction(catalog, (tx) => releaseQuota(tx, adopted));
    }
    expect(await books()).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  });

  describe('of a resize', () => {
    const grow = (more: Partial<typeof amounts>, limit = 4) =>
      withTransaction(catalog, (tx) =>
        reserveGrowth(tx, {
          ...owner(),
          amounts: { instances: 0, ram: 0, volumes: 0, ...more },
          defaults: { ...unlimited, volumes: limit },
          ramOf: () => 512,
        }),
      );
    const settle = (change: Partial<typeof amounts>, done: boolean) =>
      withTransaction(catalog, (tx) =>
        settleGrowth(tx, { ...owner(), change: { instances: 0, ram: 0, volumes: 0, ...change }, done }),
      );
    beforeEach(() => withTransaction(catalog, (tx) => commitQuota(tx, owner())));

    test('is the more that it takes: in use when it is done, free when it is taken back, again and again', async () => {
      for (const done of [false, true]) {
        await grow({ volumes: 1 });
        expect((await books())[2]).toEqual([3, 1]);
        expect(await reserved()).toBe(1);
        await settle({ volumes: 1 }, done);
        expect([(await books())[2], await reserved()]).toEqual([[done ? 4 : 3, 0], 0]);
      }
      await expect(grow({ volumes: 1 })).rejects.toMatchObject({
        code: 'QUOTA_EXCEEDED',
        message: "Quota exceeded for resources: ['volumes'].",
      });
      expect((await books())[2]).toEqual([4, 0]);
    });

    test('that takes less reserves nothing, and frees it only when it is done', async () => {
      await grow({ ram: 0 });
      await settle({ ram: -256 }, false);
      expect((await books())[1]).toEqual([512, 0]);
      await settle({ ram: -256 }, true);
      expect((await books())[1]).toEqual([256, 0]);
    });

    const underWay = async (): Promise<void> => {
      const row = { id: instanceId, tenant_id: PROJECT, flavor_id: '1', volume_size: 3, deleted: 0 };
      await catalog.knex('instances').insert(row);
      const task = { id: newUuid(), kind: 'resize_volume', instance_id: instanceId, project_id: PROJECT, params: '{}' };
      const times = { created: 1, updated: 1, deadline: 1 };
      await catalog.knex('tasks').insert({ ...task, ...times, state: 'running', code_version: 1 });
      await grow({ volumes: 1 });
    };
    const correct = () => withTransaction(catalog, (tx) => correctQuota(tx, { projectId: PROJECT, ramOf: () => 512 }));

    test('under way is right in the books as they are counted anew', async () => {
      await underWay();
      const before = await books();
      expect(await correct()).toEqual([]);
      await catalog.knex('quota_usages').where({ resource: 'volumes' }).update({ in_use: 9, reserved: 9 });
      expect(await correct()).toEqual(['volumes']);
      expect(await books()).toEqual(before);
    });

    test('whose task has ended without settling it is given back, and nothing of the next one with it', async () => {
      await underWay();
      await catalog.knex('tasks').update({ state: 'failed' });
      expect(await correct()).toEqual(['volumes']);
      expect([(await books())[2], await reserved()]).toEqual([[3, 0], 0]);
      await grow({ ram: 256 });
      await reserve(newUuid());
      await settle({ ram: 256 }, true);
      expect((await books())[2]).toEqual([3, 3]);
    });

    const reserved = async (): Promise<number> => {
      const rows = await catalog.knex('reservations').where({ status: 'Reserved' }).select('delta');
      return rows.reduce((sum: number, { delta }) => sum + Number(delta), 0);
    };
  });

  test('backups of an adopted catalog are counted, whatever their state, and stay as they are when instances come and go', async () => {
    const backup = { name: 'b', tenant_id: PROJECT, instance_id: newUuid() };
    await catalog.knex('backups').insert([
      { ...backup, id: newUuid(), state: 'COMPLETED', deleted: 0 },
      { ...backup, id: newUuid(), state: 'FAILED', deleted: 0 },
      { ...backup, id: newUuid(), state: 'COMPLETED', deleted: 1 },
      { ...backup, id: newUuid(), state: 'COMPLETED', deleted: 0, tenant_id: 'another' },
    ]);
    const kept = () =>
      catalog.knex('quota_usages').where({ tenant_id: PROJECT, resource: 'backups' }).first('in_use', 'reserved');
    await catalog.knex('quota_usages').delete();
    await reserve(newUuid());
    await withTransaction(catalog, (tx) => releaseQuota(tx, { ...owner(), amounts }));
    expect(await kept()).toEqual({ in_use: 2, reserved: 0 });
    await catalog.knex('quota_usages').where({ resource: 'backups' }).update({ in_use: 7, reserved: 1 });
    const correct = withTransaction(catalog, (tx) => correctQuota(tx, { projectId: PROJECT, ramOf: () => 512 }));
    expect(await correct).toContain('backups');
    expect(await kept()).toEqual({ in_use: 2, reserved: 0 });
    const over = { projectId: PROJECT, instanceId: newUuid(), amounts: { backups: 1 }, ramOf: () => 512 };
    await expect(
      withTransaction(catalog, (tx) => reserveQuota(tx, { ...over, defaults: { backups: 2 } })),
    ).rejects.toMatchObject({ message: "Quota exceeded for resources: ['backups']." });
    await catalog.knex('backups').delete();
  });

  test('first creates of one project at one time make one set of books', async () => {
    await catalog.knex('quota_usages').delete();
    await catalog.knex('reservations').delete();
    await Promise.all(Array.from({ length: 6 }, () => reserve(newUuid())));
    expect(await books()).toEqual([
      [0, 6],
      [0, 3072],
      [0, 18],
    ]);
  });
});
