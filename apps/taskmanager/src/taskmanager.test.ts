import { dbNow, type InstanceReportRow, readHost, toBigint } from '@trove/catalog';
import type { TestCatalog } from '@trove/catalog/testing';
import { newUuid, Secret, silentLogger, systemClock, TroveError } from '@trove/common';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ended, file, fileCreate, type House, instanceOf, openHouse, openTestCatalog } from '../test/house.ts';
import { checkInstances } from './check_instances.ts';
import { createRound } from './rounds/round.ts';

let catalog: TestCatalog;
let house: House;
beforeAll(async () => {
  catalog = await openTestCatalog('sqlite');
});
afterEach(() => house.dispose());
afterAll(() => catalog.dispose());

async function created(secure: boolean): Promise<string> {
  house = openHouse(catalog);
  const { id, taskId } = await fileCreate(house);
  await house.taskmanager({ secure });
  await ended(house, taskId);
  return id;
}

async function until(read: () => Promise<boolean>): Promise<void> {
  await expect.poll(read, { interval: 20, timeout: 40_000 }).toBe(true);
}

async function reportOf(id: string): Promise<InstanceReportRow | undefined> {
  return await catalog.knex<InstanceReportRow>('instance_reports').where({ instance_id: id }).first();
}

test.each([true, false])('a call goes on to the guest and comes back with its answer (sealed: %s)', async (secure) => {
  const id = await created(secure);
  const page = { limit: null, marker: null, include_marker: false };
  const options = { deadlineMs: 5000 };
  expect(
    await house.api.call('create_database', { instance_id: id, databases: [{ _name: 'foo2' }] }, options),
  ).toBeNull();
  const [items] = await house.api.call('list_databases', { instance_id: id, ...page }, options);
  expect(items.map(({ _name }) => _name)).toContain('foo2');
  expect(house.world.calls.at(-1)).toBe(`${secure ? 'sealed' : 'clear'} create_database`);
});

test("the guest's own error comes back, and an instance that is not there is NOT_FOUND", async () => {
  const id = await created(true);
  house.world.guestFaults.fail.set('create_database', 'disk full');
  const create = (instance_id: string) =>
    house.api.call('create_database', { instance_id, databases: [{ _name: 'x' }] }, { deadlineMs: 5000 });
  await expect(create(id)).rejects.toMatchObject({
    code: 'GUEST_ERROR',
    message: expect.stringContaining('disk full'),
  });
  await expect(create(newUuid())).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a guest that started anew is greeted, and the call that found it so is answered', async () => {
  const id = await created(true);
  const row = await instanceOf(house, id);
  const before = await reportOf(id);
  const signal = new AbortController().signal;
  await house.world.stopServer(row.compute_instance_id ?? '', signal);
  await house.world.startServer(row.compute_instance_id ?? '', signal);
  await catalog
    .knex('instance_reports')
    .where({ instance_id: id })
    .update({ hello_wanted: dbNow(catalog.knex) });
  await until(async () => (await reportOf(id))?.boot_nonce !== before?.boot_nonce);
  const after = await reportOf(id);
  expect([after?.previous_nonce, toBigint(after?.hello_wanted ?? 0) < 0n]).toEqual([before?.boot_nonce, true]);
  const answer = await house.api.call(
    'create_database',
    { instance_id: id, databases: [{ _name: 'y' }] },
    { deadlineMs: 5000 },
  );
  expect(answer).toBeNull();
});

test('a doorbell is heard long before the next poll', async () => {
  const id = await created(true);
  const taskId = await file(house, 'restart_instance', id);
  await house.api.cast('run_task', { task_id: taskId });
  expect((await ended(house, taskId)).state).toBe('done');
});

test('a legacy guest is asked for its volume at first sight', async () => {
  const id = await created(false);
  await catalog.knex('instance_reports').insert({ instance_id: id }).onConflict('instance_id').ignore();
  await catalog
    .knex('instance_reports')
    .where({ instance_id: id })
    .update({ received_at: dbNow(catalog.knex) });
  await house.taskmanager({ secure: false });
  await until(async () => (await reportOf(id))?.volume_used === 1);
  expect((await reportOf(id))?.volume_total).toBe(3);
});

test('the observer writes what the driver says, and NULL where it does not know the server', async () => {
  const id = await created(true);
  const { compute_instance_id: serverId } = await instanceOf(house, id);
  await house.world.stopServer(serverId ?? '', new AbortController().signal);
  await house.taskmanager();
  await until(async () => (await instanceOf(house, id)).server_status === 'SHUTDOWN');
  house.world.servers.clear();
  await house.taskmanager();
  await until(async () => (await instanceOf(house, id)).server_status === null);
});

test('the observer writes which host a server is on and what hosts there are; a server whose host does not answer stays as it was', async () => {
  const lost = await created(true);
  const { id: seen, taskId } = await fileCreate(house);
  await house.taskmanager();
  await ended(house, taskId);
  const serverOfLost = (await instanceOf(house, lost)).compute_instance_id;
  const getServer = house.world.getServer.bind(house.world);
  house.world.getServer = async (id) => {
    if (id === serverOfLost) throw new TroveError('COMPUTE_ERROR', 'No answer.', { retryable: true });
    return getServer(id);
  };
  const before = await instanceOf(house, lost);
  await house.world.stopServer((await instanceOf(house, seen)).compute_instance_id ?? '', new AbortController().signal);
  await house.taskmanager();
  await until(async () => (await instanceOf(house, seen)).server_status === 'SHUTDOWN');
  expect((await instanceOf(house, seen)).server_host).toBe('here');
  expect((await instanceOf(house, lost)).server_status).toBe(before.server_status);
  await until(async () => (await readHost(catalog.knex, 'here'))?.servers === 2);
});

test('a server that was seen to change is looked at again soon, so that one that is just starting is not shown as stopped for long', async () => {
  const id = await created(true);
  const { compute_instance_id: serverId } = await instanceOf(house, id);
  await house.world.stopServer(serverId ?? '', new AbortController().signal);
  await house.taskmanager();
  await until(async () => (await instanceOf(house, id)).server_status === 'SHUTDOWN');
  await house.world.startServer(serverId ?? '', new AbortController().signal);
  await until(async () => (await instanceOf(house, id)).server_status === 'ACTIVE');
});

test('a taskmanager says which of its parts is broken', async () => {
  house = openHouse(catalog);
  const manager = await house.taskmanager();
  expect(await manager.health()).toEqual([]);
  await manager.close();
  await house.bus.close();
  expect(await manager.health()).toContainEqual({ part: 'bus', reason: 'sealed bus is closed' });
});

test('a taskmanager that lacks a key which its instances need does not start, and names it', async () => {
  await created(true);
  const [k1, kek] = [[new Secret('k1')], { instance: [new Secret('kek')], uplink: [] }];
  await expect(checkInstances(catalog, k1, kek)).resolves.toBeUndefined();
  const none = { instance: [], uplink: [] };
  const code = 'CONFIG_INVALID';
  await expect(checkInstances(catalog, [], kek)).rejects.toMatchObject({
    code,
    message: expect.stringContaining('taskmanager_rpc_encr_key'),
  });
  await expect(checkInstances(catalog, k1, none)).rejects.toMatchObject({
    code,
    message: expect.stringContaining('inst_rpc_key_encr_key'),
  });
});

test('a taskmanager with keys that are not those of its catalog does not start, and writes nothing', async () => {
  await created(true);
  const before = await catalog.knex('instance_keys').select();
  const keyRings = { instance: [new Secret('another kek')], uplink: [] };
  await expect(house.taskmanager({ keyRings })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('inst_rpc_key_encr_key'),
  });
  expect(await catalog.knex('instance_keys').select()).toEqual(before);
});

test('a taskmanager that finds its catalog only later takes up no task before it knows that its keys are right, and ends where they are not', async () => {
  await created(true);
  await house.dispose();
  house = openHouse(catalog);
  const { taskId } = await fileCreate(house);
  let away = true;
  let stopped = 0;
  const asked = (): void => {
    if (away) throw new TroveError('CATALOG_UNAVAILABLE', 'away', { retryable: true });
  };
  const knex = new Proxy(catalog.knex, {
    apply(target, self, args): unknown {
      asked();
      return Reflect.apply(target, self, args);
    },
    get(target, name): unknown {
      if (name !== 'client') asked();
      return Reflect.get(target, name);
    },
  });
  const late = { ...catalog, knex };
  const keyRings = { instance: [new Secret('another kek')], uplink: [] };
  const stop = (): void => void (stopped += 1);
  await house.taskmanager({ catalog: late, keyRings, stop });
  await house.taskmanager({ catalog: late });
  expect(stopped).toBe(0);
  away = false;
  expect((await ended(house, taskId)).state).toBe('done');
  await until(async () => stopped === 1);
});

test('a turn of a round that fails costs nothing but itself, and none begins after the stop', async () => {
  house = openHouse(catalog);
  let turns = 0;
  const turn = async (): Promise<void> => {
    turns += 1;
    throw new Error('no');
  };
  const round = createRound({ name: 'test', everyMs: 5, turn, clock: systemClock, logger: silentLogger });
  round.start();
  await until(async () => turns > 3);
  await round.stop();
  const atStop = turns;
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(turns).toBe(atStop);
});
