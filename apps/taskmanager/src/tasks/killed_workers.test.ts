import { type InstanceKeyRow, type KeyOwedRow, type ResourceRow, readInstanceKey } from '@trove/catalog';
import type { TestCatalog } from '@trove/catalog/testing';
import { brokerPassword } from '@trove/crypto-rpc';
import type { TaskEngineOptions } from '@trove/tasks';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  ended,
  file,
  fileCreate,
  type House,
  instanceOf,
  openHouse,
  openTestCatalog,
  UPGRADE,
} from '../../test/house.ts';
import { GUEST_AGENT_FILE, GUEST_INFO_FILE } from './shared/guest_files.ts';

type FaultPoint = Parameters<NonNullable<TaskEngineOptions['faults']>>[0];

/** Dies once, at the so-many-th boundary of a kind; the lease runs out at once, so that somebody takes over. */
function reaper(house: () => House): {
  faults: (point: FaultPoint) => Promise<void>;
  arm(kind: string, index: number): void;
  seen: string[];
} {
  let armed: { kind: string; index: number } | undefined;
  const seen: string[] = [];
  return {
    seen,
    arm(kind, index) {
      armed = { kind, index };
      seen.length = 0;
    },
    async faults(point) {
      if (armed?.kind !== point.kind) return;
      seen.push(`${point.step} ${point.at}`);
      if (seen.length - 1 !== armed.index) return;
      await house().catalog.knex('tasks').where({ id: point.taskId }).update({ lease_until: 1 });
      throw new Error('killed');
    },
  };
}

describe.each(['mysql', 'sqlite'] as const)('a worker killed at any step boundary on %s', (dialect) => {
  let house: House;
  let catalog: TestCatalog;
  beforeAll(async () => {
    catalog = await openTestCatalog(dialect);
  });
  afterEach(() => house.dispose());
  afterAll(() => catalog.dispose());
  const reap = reaper(() => house);

  /** Runs `work` with a kill at each boundary of the kind in turn, until one run has fewer boundaries than that. */
  async function atEachBoundary(kind: string, work: (at: string) => Promise<void>): Promise<number> {
    for (let index = 0; ; index += 1) {
      reap.arm(kind, index);
      await work(`${kind} killed at boundary ${index}`);
      if (reap.seen.length <= index) return index;
    }
  }

  async function owed(id: string): Promise<unknown[]> {
    const rows = await house.catalog.knex<KeyOwedRow>('keys_owed').where({ instance_id: id });
    return rows.map(({ version, what }) => [version, what]);
  }

  /** `undone`: by an upgrade, that has put the key into the server's files again. */
  async function checkWhole(id: string, at: string, undone = false): Promise<void> {
    const row = await instanceOf(house, id);
    expect(row, at).toMatchObject({
      task_id: 1,
      server_status: 'ACTIVE',
      rpc_policy: 2,
      active_task_id: null,
      deleted: 0,
    });
    const servers = [...house.world.servers.values()].filter((server) => server.instanceId === id);
    expect(
      servers.map((server) => server.id),
      at,
    ).toEqual([row.compute_instance_id]);
    const key = await readInstanceKey(house.catalog.knex, house.rings, id, 'active');
    expect(servers[0]?.files[GUEST_INFO_FILE], at).toContain(`=${key?.instanceKey.reveal()}\n`);
    const live = await house.catalog
      .knex<InstanceKeyRow>('instance_keys')
      .where({ instance_id: id })
      .whereNot({ state: 'retired' });
    expect(
      live.map(({ version, state, bootstrap_until: until }) => [version, state, until]),
      at,
    ).toEqual([[key?.version, 'active', null]]);
    expect(servers[0]?.files[GUEST_AGENT_FILE], at).toContain(brokerPassword(key?.instanceKey.reveal() ?? '').reveal());
    expect(await owed(id), at).toEqual(undone ? [[key?.version, 'rotation']] : []);
    const effects = house.world.volumes.get(row.volume_id ?? '')?.effects ?? [];
    expect(new Set(effects).size, at).toBe(effects.length);
    expect(house.world.snapshots.size, at).toBe(0);
  }

  test('a create ends with one server, one volume, one key and one prepare', async () => {
    house = openHouse(catalog);
    await house.taskmanager({ faults: reap.faults });
    const boundaries = await atEachBoundary('create_instance', async (at) => {
      const { id, taskId } = await fileCreate(house);
      expect((await ended(house, taskId)).state, at).toBe('done');
      await checkWhole(id, at);
    });
    expect(boundaries).toBeGreaterThanOrEqual(17);
    expect(house.world.volumes.size).toBe(house.world.servers.size);
  }, 120_000);

  test('a delete ends with nothing left', async () => {
    house = openHouse(catalog);
    await house.taskmanager({ faults: reap.faults });
    const boundaries = await atEachBoundary('delete_instance', async (at) => {
      const { id, taskId } = await fileCreate(house);
      await ended(house, taskId);
      expect((await ended(house, await file(house, 'delete_instance', id))).state, at).toBe('done');
      const left = await house.catalog
        .knex<ResourceRow>('resources')
        .where({ instance_id: id })
        .whereNot({ state: 'gone' })
        .pluck('kind');
      expect([left, house.world.servers.size, house.world.volumes.size], at).toEqual([[], 0, 0]);
    });
    expect(boundaries).toBeGreaterThanOrEqual(9);
  }, 120_000);

  test('an upgrade ends with the new key on both sides, or is taken back whole', async () => {
    house = openHouse(catalog);
    await house.taskmanager({ faults: reap.faults });
    const { id, taskId } = await fileCreate(house);
    await ended(house, taskId);
    const boundaries = await atEachBoundary('upgrade_instance', async (at) => {
      expect((await ended(house, await file(house, 'upgrade_instance', id, UPGRADE))).state, at).toBe('done');
      await checkWhole(id, at);
    });
    expect(boundaries).toBeGreaterThanOrEqual(23);
    house.world.guestFaults.fail.set('post_upgrade {"stopped":true}', 'cannot read this volume');
    await atEachBoundary('upgrade_instance', async (at) => {
      const before = await instanceOf(house, id);
      expect((await ended(house, await file(house, 'upgrade_instance', id, UPGRADE))).state, at).toBe('failed');
      await checkWhole(id, at, true);
      expect((await instanceOf(house, id)).encrypted_key, at).toBe(before.encrypted_key);
    });
  }, 240_000);

  test('a change of the key ends with the next one on both sides', async () => {
    house = openHouse(catalog);
    await house.taskmanager({ faults: reap.faults });
    const { id, taskId } = await fileCreate(house);
    await ended(house, taskId);
    const boundaries = await atEachBoundary('rotate_key', async (at) => {
      const before = await readInstanceKey(house.catalog.knex, house.rings, id, 'active');
      expect((await ended(house, await file(house, 'rotate_key', id))).state, at).toBe('done');
      await checkWhole(id, at);
      const after = await readInstanceKey(house.catalog.knex, house.rings, id, 'active');
      expect(after?.version, at).toBeGreaterThan(before?.version ?? 0);
      expect(after?.instanceKey.reveal(), at).not.toBe(before?.instanceKey.reveal());
    });
    expect(boundaries).toBeGreaterThanOrEqual(9);
  }, 120_000);

  test('a restart ends with a free instance', async () => {
    house = openHouse(catalog);
    await house.taskmanager({ faults: reap.faults });
    const { id, taskId } = await fileCreate(house);
    await ended(house, taskId);
    await atEachBoundary('restart_instance', async (at) => {
      expect((await ended(house, await file(house, 'restart_instance', id))).state, at).toBe('done');
      await checkWhole(id, at);
    });
  }, 120_000);
});
