import { type InstanceKeyRow, readInstanceKey } from '@trove/catalog';
import type { TestCatalog } from '@trove/catalog/testing';
import type { TaskEngineOptions } from '@trove/tasks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ended, file, fileCreate, type House, instanceOf, openHouse, openTestCatalog } from '../../../test/house.ts';
import { SCENARIOS } from '../../../test/scenarios.ts';
import { GUEST_INFO_FILE } from '../shared/guest_files.ts';

type Faults = NonNullable<TaskEngineOptions['faults']>;

const { signal } = new AbortController();

/** On SQLite the sweeps of workers that die come this way. */
describe('after a rotation that was given up, on mysql', () => {
  let house: House;
  let catalog: TestCatalog;
  let hook: Faults | undefined;
  beforeAll(async () => {
    catalog = await openTestCatalog('mysql');
  });
  beforeEach(() => {
    house = openHouse(catalog);
    hook = undefined;
  });
  afterEach(() => house.dispose());
  afterAll(() => catalog.dispose());

  const server = () => {
    const [one] = house.world.servers.values();
    if (one === undefined) throw new Error('no server');
    return one;
  };

  /** Cancelled when the guest has got the `hello` that proves the next key, and its answer was lost. */
  async function givenUp(id: string): Promise<void> {
    let task = '';
    hook = async ({ kind, step, at }) => {
      if (kind !== 'rotate_key' || step !== 'prove_key' || at !== 'before_run') return;
      await catalog.knex('tasks').where({ id: task }).update({ cancel_requested: 1 });
      house.world.guestFaults.loses = () => true;
    };
    task = await file(house, 'rotate_key', id);
    expect((await ended(house, task)).state).toBe('cancelled');
    house.world.guestFaults.loses = undefined;
    hook = undefined;
  }

  /** What it had kept for calls of those who do not know the next key yet is gone. */
  async function restartAgent(): Promise<void> {
    await house.world.stopServer(server().id, signal);
    await house.world.startServer(server().id, signal);
  }

  const scenarios = SCENARIOS.filter(({ name }) =>
    ['upgrade', 'upgrade_refused', 'restart', 'resize_flavor'].includes(name),
  );

  test.each(scenarios)(
    '$name reaches a guest that has changed its key',
    async (scenario) => {
      await house.taskmanager({ faults: (point) => hook?.(point) });
      const made = await fileCreate(house);
      expect((await ended(house, made.taskId)).state).toBe('done');
      const { id } = made;
      const { version = 0 } = (await readInstanceKey(catalog.knex, house.rings, id, 'active')) ?? {};
      await givenUp(id);
      await restartAgent();
      expect(server().files[GUEST_INFO_FILE]).toContain(`instance_rpc_key_version=${version + 1}\n`);
      scenario.conditions?.(house.world);
      const { taskId } = await scenario.file(house, async () => id);
      expect((await ended(house, taskId, 40_000)).state).toBe(scenario.ends);
      const key = await readInstanceKey(catalog.knex, house.rings, id, 'active');
      expect(key?.version).toBeGreaterThan(version);
      expect(server().files[GUEST_INFO_FILE]).toContain(`=${key?.instanceKey.reveal()}\n`);
      const pending = await catalog.knex<InstanceKeyRow>('instance_keys').where({ instance_id: id, state: 'pending' });
      expect(pending).toEqual([]);
      expect(await instanceOf(house, id)).toMatchObject({ task_id: 1, server_status: 'ACTIVE', active_task_id: null });
    },
    120_000,
  );

  test('one whose guest has not changed its key goes on under the old one', async () => {
    await house.taskmanager({ faults: (point) => hook?.(point) });
    const made = await fileCreate(house);
    expect((await ended(house, made.taskId)).state).toBe('done');
    const { id } = made;
    const before = server().files;
    const { version } = (await readInstanceKey(catalog.knex, house.rings, id, 'active')) ?? {};
    await givenUp(id);
    server().files = before;
    await restartAgent();
    expect((await ended(house, await file(house, 'restart_instance', id), 40_000)).state).toBe('done');
    expect((await readInstanceKey(catalog.knex, house.rings, id, 'active'))?.version).toBe(version);
  }, 120_000);
});
