import { randomBytes } from 'node:crypto';
import { countAccount, forgetAccount, insertInstance, intendAccount, withTransaction } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { createLogger, newUuid, Secret } from '@trove/common';
import { deploymentMark, guestAccount, guestTopology } from '@trove/crypto-rpc';
import { type TestBroker, testBroker } from '@trove/testkit';
import { connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { guestUrl } from '../../test/each_broker.ts';
import { type BrokerAccounts, createBrokerAccounts } from '../broker/broker_accounts.ts';
import type { BrokerAdmin } from '../broker/broker_admin.ts';
import { createRabbitmqAdmin } from '../broker/rabbitmq_admin.ts';
import { readDeploymentId } from '../deployment_id.ts';
import { createGuestKeys } from '../guests/guest_keys.ts';
import { createAccountCheck } from './check_accounts.ts';

const RINGS = { instance: [new Secret('kek-of-this-test')], uplink: [] };

let catalog: TestCatalog;
let broker: TestBroker;
let admin: BrokerAdmin;
let accounts: BrokerAccounts;
let asked: string[];
let said: Record<string, unknown>[];
beforeAll(async () => {
  catalog = await testCatalog('mysql');
});
beforeEach(async () => {
  broker = await testBroker();
  [asked, said] = [[], []];
  admin = createRabbitmqAdmin({
    managementUrl: new Secret(broker.managementUrl),
    vhost: broker.vhost,
    fetch: (url, options) => {
      asked.push(`${options?.method} ${url}`);
      return fetch(url, options);
    },
  });
  accounts = createBrokerAccounts(admin, () => readDeploymentId(catalog));
});
afterEach(async () => {
  await catalog.knex('resources').delete();
  await broker.dispose();
});
afterAll(() => catalog.dispose());

const newPassword = (): Secret => new Secret(randomBytes(32).toString('base64url'));

/** An instance whose account counts, on the broker and in the catalog. */
async function guest(): Promise<{ id: string; password: Secret }> {
  const [id, password] = [newUuid(), newPassword()];
  const row = { name: 'one', tenant_id: 'p', flavor_id: '1', volume_size: 1, datastore_version_id: null };
  await withTransaction(catalog, async (tx) => {
    await insertInstance(tx, { id, ...row, region_id: null, access: null });
    await intendAccount(tx, { instanceId: id, taskId: newUuid(), account: guestAccount(id) });
    await countAccount(tx, id);
  });
  await accounts.make(id, password);
  return { id, password };
}

/** As a delete leaves it in catalog and broker. */
async function deleted(id: string): Promise<void> {
  await withTransaction(catalog, (tx) => forgetAccount(tx, id));
  await catalog.knex('instances').where({ id }).update({ deleted: 1 });
  await accounts.remove(id);
}

async function turn(pageSize?: number): Promise<void> {
  asked.length = 0;
  const logger = createLogger({ service: 'test', stream: { write: (line) => void said.push(JSON.parse(line)) } });
  const compute = { injectedFiles: async () => ({}) };
  const keys = createGuestKeys({ catalog, rings: RINGS, keyStore: { forget: () => undefined } });
  await createAccountCheck({ catalog, compute, keys, accounts, logger }, pageSize)(new AbortController().signal);
}

const isThere = async (id: string): Promise<boolean[]> => [
  (await admin.readAccount(guestAccount(id))) !== undefined,
  await admin.hasQueue(guestTopology(id)),
];

test('an account that a worker which was thought dead makes after the delete is removed, its connection with it', async () => {
  const [{ id }, living] = [await guest(), await guest()];
  await deleted(id);
  const password = newPassword();
  await accounts.make(id, password);
  const connection = await connect(guestUrl(broker.url, id, password));
  connection.on('error', () => undefined);
  const closed = new Promise((resolve) => connection.on('close', resolve));
  await turn();
  await closed;
  expect(await isThere(id)).toEqual([false, false]);
  await expect(connect(guestUrl(broker.url, id, password))).rejects.toThrow();
  expect(said).toEqual([expect.objectContaining({ instance_id: id, message: expect.stringContaining('removed') })]);
  expect(await isThere(living.id)).toEqual([true, true]);
  await turn();
  expect(said).toHaveLength(1);
});

test('a stop does not wait for a broker that takes its time', async () => {
  const stopping = new AbortController();
  const slow = createRabbitmqAdmin({
    managementUrl: new Secret(broker.managementUrl),
    vhost: broker.vhost,
    fetch: (_url, options) =>
      new Promise((_, reject) => {
        options?.signal?.addEventListener('abort', () => reject(new Error('given up')));
        stopping.abort();
      }),
  });
  await expect(createBrokerAccounts(slow, async () => 'd').survey(stopping.signal)).rejects.toMatchObject({
    code: 'BUS_UNAVAILABLE',
  });
});

test('so is a queue alone', async () => {
  const { id } = await guest();
  await deleted(id);
  await admin.putQueue(guestTopology(id));
  await turn();
  expect(await isThere(id)).toEqual([false, false]);
});

test('what this deployment has not made, or still works on, stays: other guests, other accounts, other queues', async () => {
  const [stranger, living, begun, unbooked] = [newUuid(), await guest(), await guest(), await guest()];
  await accounts.make(stranger, newPassword());
  await catalog.knex('instances').where({ id: begun.id }).update({ active_task_id: newUuid() });
  await catalog.knex('resources').where({ instance_id: begun.id }).update({ state: 'intent' });
  await catalog.knex('instances').where({ id: unbooked.id }).update({ deleted: 1 });
  await catalog.knex('resources').where({ instance_id: unbooked.id }).delete();
  const operator = `operator-${newUuid()}`;
  await admin.putUser(operator, newPassword());
  await admin.putPermissions(operator, { configure: '', write: '', read: '' });
  await turn(2);
  for (const id of [stranger, living.id, begun.id, unbooked.id]) expect(await isThere(id)).toEqual([true, true]);
  expect(await admin.readAccount(operator)).toBeDefined();
  expect(said).toEqual([]);
});

test('what differs is found among many that are right, and asking costs the same however many there are', async () => {
  const guests = [await guest(), await guest()];
  await turn();
  const before = [...asked];
  expect(before).toHaveLength(6);
  while (guests.length < 12) guests.push(await guest());
  await turn(5);
  expect(asked).toEqual(before);

  const [open, unbound, tagged, lost] = guests.map(({ id }) => id) as [string, string, string, string];
  await admin.putTopicPermission(guestAccount(open), 'trove.up', { write: '.*', read: '.*' });
  await admin.deleteQueue(`guest.${unbound}`);
  await admin.putLimits(guestAccount(tagged), { maxConnections: 50, maxChannels: 50 });
  await accounts.cutOff(lost);
  await turn(5);
  const repaired = Object.fromEntries(said.map(({ instance_id, repaired: parts }) => [instance_id, parts]));
  expect(repaired).toEqual({
    [open]: ['topic permission on trove.up'],
    [unbound]: ['queue'],
    [tagged]: ['limits'],
    [lost]: expect.arrayContaining(['password']),
  });
  said.length = 0;
  await turn(5);
  // Nobody has the lost one's password: it stays closed, and is named each time.
  expect(said.map(({ instance_id }) => instance_id)).toEqual([lost]);
});

test("an account of an earlier release is marked as this deployment's and stays as it is; no other is", async () => {
  const [one, other, stranger] = [await guest(), await guest(), newUuid()];
  const before = createBrokerAccounts(admin, async () => 'another');
  await before.make(stranger, newPassword());
  const { exchange } = deploymentMark(await readDeploymentId(catalog));
  const permissions = `${new URL(broker.managementUrl).origin}/api/topic-permissions/${broker.vhost}`;
  const authorization = `Basic ${Buffer.from(userInfoOf(broker.managementUrl)).toString('base64')}`;
  for (const { id } of [one, other])
    await fetch(`${permissions}/${guestAccount(id)}/${exchange}`, { method: 'DELETE', headers: { authorization } });
  const marked = async () => [...(await accounts.marks()).entries()].filter(([, ids]) => !ids.includes('another'));
  expect(await marked()).toEqual([]);
  const connection = await connect(guestUrl(broker.url, one.id, one.password));
  await turn();
  expect(said.map(({ message, marked: count, left }) => [message, count, left])).toEqual([
    [expect.stringContaining('carry the deployment now'), 2, 0],
  ]);
  expect(asked.filter((line) => line.startsWith('PUT'))).toHaveLength(2);
  expect((await marked()).map(([user]) => user).toSorted()).toEqual(
    [one, other].map(({ id }) => guestAccount(id)).toSorted(),
  );
  await (await connection.createChannel()).close();
  await connection.close();
  await turn();
  expect(said).toHaveLength(1);
  await accounts.cutOff(one.id);
  await expect(accounts.mark(one.id)).rejects.toMatchObject({ code: 'RPC_REFUSED' });
  expect(await admin.readAccount(guestAccount(one.id))).toBeUndefined();
});

function userInfoOf(url: string): string {
  const { username, password } = new URL(url);
  return `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
}
