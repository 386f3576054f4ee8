import { dbNow, type KeyOwedRow, readInstanceKey } from '@trove/catalog';
import type { TestCatalog } from '@trove/catalog/testing';
import { Secret, silentLogger, TroveError } from '@trove/common';
import { brokerPassword } from '@trove/crypto-rpc';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  ended,
  file,
  fileCreate,
  type House,
  instanceOf,
  openHouse,
  openTestCatalog,
  UPGRADE,
} from '../../../test/house.ts';
import { createAccountCheck } from '../../rounds/check_accounts.ts';
import { fileOwedRotations } from '../../rounds/owed_rotations.ts';
import { GUEST_INFO_FILE } from '../shared/guest_files.ts';

const ROUND = { timeout: 30_000, interval: 100 };

describe.each(['mysql', 'sqlite'] as const)('what is owed for the key of an instance on %s', (dialect) => {
  let house: House;
  let catalog: TestCatalog;
  let id: string;
  beforeAll(async () => {
    catalog = await openTestCatalog(dialect);
  });
  beforeEach(async () => {
    house = openHouse(catalog);
    await house.taskmanager();
    const made = await fileCreate(house);
    expect((await ended(house, made.taskId)).state).toBe('done');
    ({ id } = made);
  });
  afterEach(() => house.dispose());
  afterAll(() => catalog.dispose());

  const activeKey = async () => {
    const key = await readInstanceKey(catalog.knex, house.rings, id, 'active');
    if (key === undefined) throw new Error('no key');
    return { text: key.instanceKey.reveal(), version: key.version };
  };
  const owed = async () => {
    const rows = await catalog.knex<KeyOwedRow>('keys_owed').where({ instance_id: id });
    return rows.map(({ what, version }) => [what, version]);
  };
  const rotations = () => catalog.knex('tasks').where({ instance_id: id, kind: 'rotate_key' }).orderBy('created');
  const opens = async (key: { text: string }): Promise<boolean> => {
    const bus = house.broker.bus({ user: `guest-${id}`, secret: new Secret(brokerPassword(key.text).reveal()) });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const { state } = bus;
    await bus.close();
    return state === 'connected';
  };
  /** As a conductor writes it with a report of the guest. */
  const heard = (): PromiseLike<unknown> =>
    catalog
      .knex('instance_reports')
      .where({ instance_id: id })
      .update({ received_at: dbNow(catalog.knex) });
  const settled = async (): Promise<void> => {
    expect(await owed()).toEqual([]);
    expect((await instanceOf(house, id)).active_task_id).toBeNull();
  };

  async function undoneUpgrade(): Promise<void> {
    house.world.guestFaults.fail.set('post_upgrade {"stopped":true}', 'cannot read this volume');
    expect((await ended(house, await file(house, 'upgrade_instance', id, UPGRADE))).state).toBe('failed');
    house.world.guestFaults.fail.clear();
  }

  test('a key that an undone upgrade has injected again is changed by itself, once, and its password with it', async () => {
    const key = await activeKey();
    const { rebuildServer } = house.world;
    const injected: string[] = [];
    house.world.rebuildServer = async (request, signal) => {
      injected.push(request.files[GUEST_INFO_FILE] ?? '');
      return await rebuildServer(request, signal);
    };
    await undoneUpgrade();
    expect(injected.at(-1)).toContain(key.text);
    expect([await activeKey(), await owed()]).toEqual([key, [['rotation', key.version]]]);
    await vi.waitFor(async () => {
      await heard();
      await settled();
    }, ROUND);
    const after = await activeKey();
    expect(after.version).toBeGreaterThan(key.version);
    expect(injected.join()).not.toContain(after.text);
    expect([await opens(after), await opens(key)]).toEqual([true, false]);
    await heard();
    await fileOwedRotations({ catalog, logger: silentLogger, heardWithinMs: 60_000 });
    expect((await rotations()).map(({ state }: { state: string }) => state)).toEqual(['done']);
  }, 90_000);

  test('nothing is filed while its guest is silent, in quarantine or worked for, nor soon after it has failed', async () => {
    await undoneUpgrade();
    const turn = async (): Promise<number> => {
      await fileOwedRotations({ catalog, logger: silentLogger, heardWithinMs: 60_000 });
      return (await rotations()).length;
    };
    const row = (table: string, column: string) => catalog.knex(table).where({ [column]: id });
    expect(await turn()).toBe(0);
    await row('instances', 'id').update({ active_task_id: 'another' });
    await heard();
    expect(await turn()).toBe(0);
    await row('instance_reports', 'instance_id').update({ quarantined_at: 1 });
    await row('instances', 'id').update({ active_task_id: null });
    expect(await turn()).toBe(0);
    house.world.guestFaults.loses = () => true;
    await row('instance_reports', 'instance_id').update({ quarantined_at: null });
    await turn();
    const [task] = await rotations();
    await catalog.knex('tasks').where({ id: task.id }).update({ deadline: 1 });
    expect((await ended(house, task.id)).state).toBe('failed');
    await heard();
    expect([await turn(), await owed()]).toEqual([1, [['rotation', (await activeKey()).version]]]);
  });

  test('a password that the broker did not take while its rotation lasted is changed when its administration is back', async () => {
    const before = await activeKey();
    const { putUser, readAll } = house.admin;
    const away = async (): Promise<never> => {
      throw new TroveError('BUS_UNAVAILABLE', 'away', { retryable: true });
    };
    Object.assign(house.admin, { putUser: away, readAll: away });
    const task = await file(house, 'rotate_key', id);
    await vi.waitFor(async () => expect((await activeKey()).version).toBeGreaterThan(before.version), ROUND);
    await catalog.knex('tasks').where({ id: task }).update({ deadline: 1 });
    expect((await ended(house, task)).state).toBe('failed');
    const key = await activeKey();
    expect([await opens(before), await owed()]).toEqual([true, [['password', key.version]]]);
    Object.assign(house.admin, { readAll });
    const check = createAccountCheck({
      ...{ catalog, compute: house.world, accounts: house.accounts, keys: house.keys, logger: silentLogger },
    });
    for (let turns = 0; turns < 3; turns += 1) await check(new AbortController().signal);
    expect(await rotations()).toHaveLength(2);
    Object.assign(house.admin, { putUser });
    await vi.waitFor(settled, ROUND);
    expect([await opens(key), await opens(before), await activeKey()]).toEqual([true, false, key]);
    expect(await rotations()).toHaveLength(2);
  });
});
