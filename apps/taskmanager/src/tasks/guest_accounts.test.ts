import { accountState, type TaskStepRow } from '@trove/catalog';
import type { TestCatalog } from '@trove/catalog/testing';
import { accountOfUrl, newUuid, Secret, silentLogger, type TransportAccount, TroveError } from '@trove/common';
import { type Bus, guestAccount } from '@trove/crypto-rpc';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ended, file, fileCreate, type House, openHouse, openTestCatalog, UPGRADE } from '../../test/house.ts';
import { createMemoryAdmin } from '../broker/memory_admin.ts';
import { createAccountCheck } from '../rounds/check_accounts.ts';
import { GUEST_AGENT_FILE } from './shared/guest_files.ts';

let house: House;
let catalog: TestCatalog;
const buses: Bus[] = [];
beforeAll(async () => {
  catalog = await openTestCatalog('sqlite');
});
afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()));
  await house.dispose();
});
afterAll(() => catalog.dispose());

async function created(own: boolean): Promise<{ id: string; taskId: string }> {
  const { id, taskId } = await fileCreate(house);
  const manager = await house.taskmanager({ own });
  expect((await ended(house, taskId)).state).toBe('done');
  await manager.close();
  return { id, taskId };
}

/** What stands in the file of the only server. */
function accountInFile(): TransportAccount | undefined {
  const [server] = house.world.servers.values();
  const url = /^sealed_transport_url=(.*)$/m.exec(server?.files[GUEST_AGENT_FILE] ?? '')?.[1] ?? '';
  return accountOfUrl(new Secret(url));
}

async function opens(account: TransportAccount | undefined): Promise<boolean> {
  if (account === undefined) throw new Error('no account');
  const bus = house.broker.bus({ user: account.user, secret: account.password });
  buses.push(bus);
  await new Promise((resolve) => setTimeout(resolve, 20));
  return bus.state === 'connected';
}

const upgrade = async (own = true): Promise<string> => {
  const manager = await house.taskmanager({ own });
  const [server] = house.world.servers.values();
  const taskId = await file(house, 'upgrade_instance', server?.instanceId ?? '', UPGRADE);
  const { state } = await ended(house, taskId);
  await manager.close();
  return state;
};

const checked = () => ({ compute: house.world, accounts: house.accounts, keys: house.keys });

test('a new guest has an account of its own in its file, and its password rests nowhere else', async () => {
  house = openHouse(catalog);
  const { id, taskId } = await created(true);
  const account = accountInFile();
  expect(account?.user).toBe(guestAccount(id));
  expect(account?.password.reveal()).toMatch(/^[\w-]{43}$/);
  expect([await opens(account), await accountState(catalog.knex, id)]).toEqual([true, 'counts']);
  const steps = await catalog.knex<TaskStepRow>('task_steps').where({ task_id: taskId });
  expect(steps.find((step) => step.name === 'make_password')?.output).toBe('{"password":null}');
  for (const table of ['tasks', 'task_steps', 'resources'])
    expect(JSON.stringify(await catalog.knex(table))).not.toContain(account?.password.reveal());
});

test('without accounts a guest shares one, and a create that fails leaves none', async () => {
  house = openHouse(catalog);
  const { id } = await created(false);
  expect([accountInFile(), await accountState(catalog.knex, id)]).toEqual([undefined, 'none']);
  house.world.scripted.set('createServer', { times: 1, error: new TroveError('COMPUTE_ERROR', 'no') });
  const failed = await fileCreate(house);
  await house.taskmanager();
  expect((await ended(house, failed.taskId)).state).toBe('failed');
  expect(house.broker.accounts.get(guestAccount(failed.id))).toBeUndefined();
});

test('an upgrade ends the old password, and gives a guest that shared an account its own', async () => {
  house = openHouse(catalog);
  const { id } = await created(false);
  expect(await upgrade()).toBe('done');
  const first = accountInFile();
  expect([await opens(first), await accountState(catalog.knex, id)]).toEqual([true, 'counts']);
  expect(await upgrade()).toBe('done');
  expect([await opens(first), await opens(accountInFile())]).toEqual([false, true]);
});

test('an upgrade that is taken back brings back the account of before: the old password, or none of its own', async () => {
  house = openHouse(catalog);
  const { id } = await created(true);
  const before = accountInFile();
  house.world.guestFaults.fail.set('post_upgrade {"stopped":true}', 'no');
  expect(await upgrade()).toBe('failed');
  expect(accountInFile()?.password.reveal()).toBe(before?.password.reveal());
  expect([await opens(before), await accountState(catalog.knex, id)]).toEqual([true, 'counts']);
  await house.dispose();

  house = openHouse(catalog);
  const shared = await created(false);
  house.world.guestFaults.fail.set('post_upgrade {"stopped":true}', 'no');
  expect(await upgrade()).toBe('failed');
  expect([accountInFile(), await accountState(catalog.knex, shared.id)]).toEqual([undefined, 'gone']);
  expect(house.broker.accounts.get(guestAccount(shared.id))).toBeUndefined();
});

test('where accounts are not made any more an upgrade gives the guest the shared one again', async () => {
  house = openHouse(catalog);
  const { id } = await created(true);
  expect(await upgrade(false)).toBe('done');
  expect([accountInFile(), await accountState(catalog.knex, id)]).toEqual([undefined, 'gone']);
});

test('a delete cuts the guest off first, whatever becomes of its server', async () => {
  house = openHouse(catalog);
  const { id } = await created(true);
  const account = accountInFile();
  const stolen = house.broker.bus(account && { user: account.user, secret: account.password });
  buses.push(stolen);
  await expect.poll(() => stolen.state).toBe('connected');
  house.world.scripted.set('deleteServer', { times: 1, error: new TroveError('COMPUTE_ERROR', 'no') });
  await house.taskmanager();
  expect((await ended(house, await file(house, 'delete_instance', id))).state).toBe('failed');
  await expect.poll(() => stolen.state).toBe('connecting');
  expect([house.broker.accounts.get(guestAccount(id)), house.broker.hasQueue(`guest.${id}`)]).toEqual([
    undefined,
    false,
  ]);
  expect(await opens(account)).toBe(false);
});

test('the round brings back an account that the broker lost, and leaves alone one that was given up', async () => {
  house = openHouse(catalog);
  const { id } = await created(true);
  const account = accountInFile();
  const check = createAccountCheck({ ...checked(), catalog, logger: silentLogger }, 2);
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 10; turn += 1) await check(new AbortController().signal);
  };
  house.broker.accounts.delete(guestAccount(id));
  await turns();
  expect(await opens(account)).toBe(true);
  await house.taskmanager();
  expect((await ended(house, await file(house, 'delete_instance', id))).state).toBe('done');
  await turns();
  expect(house.broker.accounts.get(guestAccount(id))).toBeUndefined();
});

test('after a change of its key a lost account comes back with the password of that, though the files show the one of before', async () => {
  house = openHouse(catalog);
  const { id } = await created(true);
  const [server] = house.world.servers.values();
  const [files, before] = [{ ...server?.files }, accountInFile()];
  const manager = await house.taskmanager();
  expect((await ended(house, await file(house, 'rotate_key', id))).state).toBe('done');
  await manager.close();
  const after = accountInFile();
  if (server !== undefined) server.files = files;
  house.broker.accounts.delete(guestAccount(id));
  await createAccountCheck({ ...checked(), catalog, logger: silentLogger })(new AbortController().signal);
  expect([await opens(before), await opens(after)]).toEqual([false, true]);
});

test('while a task works on an instance, the round brings back its queue and its rights, and no password', async () => {
  house = openHouse(catalog);
  const { id } = await created(true);
  const account = accountInFile();
  const check = createAccountCheck({ ...checked(), catalog, logger: silentLogger }, 50);
  await catalog.knex('instances').where({ id }).update({ active_task_id: newUuid() });
  const admin = createMemoryAdmin(house.broker);
  await admin.deleteQueue(`guest.${id}`);
  await admin.putPermissions(guestAccount(id), { configure: '', write: '', read: '' });
  await check(new AbortController().signal);
  expect([house.broker.hasQueue(`guest.${id}`), await house.accounts.repair(id, async () => undefined)]).toEqual([
    true,
    [],
  ]);
  expect(await opens(account)).toBe(true);
  house.broker.accounts.delete(guestAccount(id));
  await check(new AbortController().signal);
  expect(house.broker.accounts.get(guestAccount(id))).toBeUndefined();
});
