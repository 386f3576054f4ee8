import { randomBytes } from 'node:crypto';
import { newUuid, Secret } from '@trove/common';
import { guestAccount } from '@trove/crypto-rpc';
import { type TestBroker, testBroker } from '@trove/testkit';
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { DEPLOYMENT, guestUrl } from '../../test/each_broker.ts';
import { type BrokerAccounts, createBrokerAccounts } from './broker_accounts.ts';
import type { BrokerAdmin } from './broker_admin.ts';
import { createRabbitmqAdmin } from './rabbitmq_admin.ts';

vi.setConfig({ testTimeout: 60_000 });

/** One guest's account in the hands of a plain AMQP client, which has none of our code. */
interface Thief {
  readonly id: string;
  readonly url: string;
  readonly connection: ChannelModel;
}

let broker: TestBroker;
let admin: BrokerAdmin;
let accounts: BrokerAccounts;
let service: ChannelModel;
const open: ChannelModel[] = [];

beforeAll(async () => {
  broker = await testBroker();
  admin = createRabbitmqAdmin({ managementUrl: new Secret(broker.managementUrl), vhost: broker.vhost, fetch });
  accounts = createBrokerAccounts(admin, async () => DEPLOYMENT);
  service = await connect(broker.url);
  const channel = await service.createChannel();
  for (const name of ['trove.up', 'trove.reply']) await channel.assertExchange(name, 'topic', { durable: true });
  await channel.close();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close().catch(() => {})));
});
afterAll(async () => {
  await service.close();
  await broker.dispose();
});

async function enter(url: string): Promise<ChannelModel> {
  const connection = await connect(url);
  connection.on('error', () => {});
  open.push(connection);
  return connection;
}

async function thief(): Promise<Thief> {
  const [id, password] = [newUuid(), new Secret(randomBytes(32).toString('base64url'))];
  await accounts.make(id, password);
  const url = guestUrl(broker.url, id, password);
  return { id, url, connection: await enter(url) };
}

/** The broker's code for what the client tried on a channel of its own; 0 where it let it. */
async function answerTo(connection: ChannelModel, attempt: (channel: Channel) => unknown): Promise<number> {
  const channel = await connection.createConfirmChannel();
  const closed = new Promise<number>((resolve) =>
    channel.on('error', (error) => resolve(Number(Reflect.get(error, 'code')))),
  );
  const tried = (async () => {
    await attempt(channel);
    await channel.waitForConfirms();
    await channel.close();
    return 0;
  })();
  return Promise.race([closed, tried.catch(() => closed)]);
}

const REFUSED = 403;
const NOT_THERE = 404;

test('nothing that AMQP has gets at the queue of another guest', async () => {
  const [own, victim] = [await thief(), await thief()];
  const queue = `guest.${victim.id}`;
  const attempts: ((channel: Channel) => unknown)[] = [
    (channel) => channel.get(queue),
    (channel) => channel.consume(queue, () => {}),
    (channel) => channel.consume(queue, () => {}, { exclusive: true }),
    (channel) => channel.purgeQueue(queue),
    (channel) => channel.deleteQueue(queue),
    (channel) => channel.assertQueue(queue, { durable: true }),
    (channel) => channel.unbindQueue(queue, 'trove.down', queue),
    (channel) => channel.bindQueue(queue, 'trove.up', '#'),
    (channel) => channel.bindQueue(`guest.${own.id}`, 'trove.down', queue),
    (channel) => channel.assertQueue(`guest.${newUuid()}`, { durable: true }),
    (channel) => channel.assertQueue('', { exclusive: true }),
    (channel) => channel.assertExchange('mine', 'fanout'),
    (channel) => channel.bindExchange('trove.up', 'trove.reply', '#'),
    (channel) => channel.deleteExchange('trove.up'),
  ];
  for (const attempt of attempts) expect(await answerTo(own.connection, attempt), String(attempt)).toBe(REFUSED);
  expect(await answerTo(victim.connection, (channel) => channel.get(queue))).toBe(0);
});

test('A43: a passive declare tells of a queue whose name is known only where the broker tells everybody of every queue', async () => {
  const [own, victim] = [await thief(), await thief()];
  const asked = (queue: string) => answerTo(own.connection, (channel) => channel.checkQueue(queue));
  const { version } = own.connection.connection.serverProperties;
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  const refusesStrangers = major * 10_000 + minor * 100 + patch >= 40_301;
  expect(await asked(`guest.${victim.id}`)).toBe(refusesStrangers ? REFUSED : 0);
  expect(await asked('trove.dead')).toBe(refusesStrangers ? REFUSED : NOT_THERE);
  // A name is a random UUID; nothing that a guest may do lists names.
  expect(await asked(`guest.${newUuid()}`)).toBe(refusesStrangers ? REFUSED : NOT_THERE);
  const exchanges = ['trove.up', 'trove.reply', 'trove.down', 'amq.rabbitmq.trace'];
  for (const exchange of exchanges)
    expect(await answerTo(own.connection, (channel) => channel.bindQueue(`guest.${own.id}`, exchange, '#'))).toBe(
      REFUSED,
    );
});

test('it publishes to no exchange but two, and there under its own keys alone', async () => {
  const [own, victim] = [await thief(), await thief()];
  const body = Buffer.from('x');
  const say = (exchange: string, key: string, options = {}) =>
    answerTo(own.connection, (channel) => channel.publish(exchange, key, body, options));
  for (const exchange of ['', 'trove.down', 'trove.tasks', 'amq.direct', 'amq.topic', 'trove.dead'])
    expect(await say(exchange, `guest.${victim.id}`), exchange).not.toBe(0);
  expect(await say('', `guest.${own.id}`)).toBe(REFUSED);
  expect(await say('trove.up', `ev.${victim.id}`)).toBe(REFUSED);
  expect(await say('trove.reply', `r.0123456789abcdef.${victim.id}`)).toBe(REFUSED);
  expect(await say('trove.up', `ev.${own.id}`, { userId: guestAccount(victim.id) })).toBe(406);
  expect(await say('trove.up', `ev.${own.id}`, { userId: guestAccount(own.id) })).toBe(0);
  expect(await answerTo(own.connection, (channel) => channel.consume('amq.rabbitmq.reply-to', () => {}))).not.toBe(0);
});

test('a newline at the end passes `$` on this broker, and does not pass our expressions', async () => {
  const { id, connection } = await thief();
  const event = (key: string) => answerTo(connection, (channel) => channel.publish('trove.up', key, Buffer.from('x')));
  expect(await event(`ev.${id}\n`)).toBe(REFUSED);
  await admin.putTopicPermission(guestAccount(id), 'trove.up', { write: `^ev\\.${id}$`, read: '^$' });
  await vi.waitFor(async () => expect(await event(`ev.${id}\n`)).toBe(0), { timeout: 5000 });
  expect(await accounts.repair(id, async () => undefined)).toEqual(['topic permission on trove.up']);
  await vi.waitFor(async () => expect(await event(`ev.${id}\n`)).toBe(REFUSED), { timeout: 5000 });
});

test('a third connection and a seventh channel are refused', async () => {
  const { url, connection } = await thief();
  await enter(url);
  await expect(connect(url)).rejects.toThrow();
  for (let channel = 1; channel <= 6; channel += 1) await connection.createChannel();
  await expect(connection.createChannel()).rejects.toThrow();
});

test('the deleted account is cut off at once, and its management API was never open', async () => {
  const { id, url, connection } = await thief();
  const { username, password } = new URL(url);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const { origin } = new URL(broker.managementUrl);
  expect((await fetch(`${origin}/api/whoami`, { headers: { authorization } })).status).toBe(401);
  const closed = new Promise((resolve) => connection.on('close', resolve));
  await accounts.remove(id);
  await closed;
  await expect(connect(url)).rejects.toThrow();
});
