import { randomText } from '@trove/common';
import { guestTopology, SEALED_TOPOLOGY } from '@trove/crypto-rpc';
import { type TestBroker, testBroker } from '@trove/testkit';
import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { brokerDefinitions, VHOST } from './broker_definitions.ts';
import type { StackSecrets } from './secrets.ts';

const INSTANCE = '3049ae2b-619e-4fcf-b396-f873eaa99cd9';
const RUN = randomText(8);
const secrets = new Proxy({}, { get: (_target, name) => `${String(name)}${RUN}` }) as StackSecrets;

interface Definitions {
  users: { name: string }[];
  permissions: { user: string; vhost: string }[];
  exchanges: { vhost: string }[];
  queues: { vhost: string }[];
  bindings: { vhost: string }[];
}

let broker: TestBroker;

/** The definitions as RabbitMQ loads them, in a vhost of the test, with accounts under other names. */
beforeAll(async () => {
  broker = await testBroker();
  const given = JSON.parse(brokerDefinitions(secrets)) as Definitions;
  const here = <T extends { vhost: string }>(entries: readonly T[]): T[] =>
    entries.filter(({ vhost }) => vhost === VHOST).map((entry) => ({ ...entry, vhost: broker.vhost }));
  const permissions = here(given.permissions);
  const users = given.users.filter(({ name }) => permissions.some(({ user }) => user === name));
  await load({
    users: users.map((user) => ({ ...user, name: `${user.name}-${RUN}` })),
    permissions: permissions.map((entry) => ({ ...entry, user: `${entry.user}-${RUN}` })),
    exchanges: here(given.exchanges),
    queues: here(given.queues),
    bindings: here(given.bindings),
  });
  const { queues = [] } = guestTopology(INSTANCE);
  await allowed('taskmanager', async (channel) => {
    for (const { name, durable, arguments: limits } of queues)
      await channel.assertQueue(name, { durable, arguments: limits });
  });
});

afterAll(async () => {
  await broker.dispose();
});

async function load(definitions: object): Promise<void> {
  const url = new URL(broker.managementUrl);
  const authorization = `Basic ${Buffer.from(`${url.username}:${url.password}`).toString('base64')}`;
  const answer = await fetch(`${url.origin}/api/definitions`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify(definitions),
  });
  expect(answer.ok, await answer.text()).toBe(true);
}

type Channel = Awaited<ReturnType<Awaited<ReturnType<typeof connect>>['createConfirmChannel']>>;
type Act = (channel: Channel) => Promise<unknown>;

const PASSWORDS: Readonly<Record<string, keyof StackSecrets>> = {
  api: 'brokerApi',
  taskmanager: 'brokerTaskmanager',
  conductor: 'brokerConductor',
  provisioner: 'brokerProvisioner',
};

async function allowed(service: string, act: Act): Promise<unknown> {
  const url = new URL(broker.url);
  url.username = `trove-${service}-${RUN}`;
  url.password = secrets[PASSWORDS[service] ?? 'brokerApi'];
  const connection = await connect(url.href);
  try {
    const channel = await connection.createConfirmChannel();
    const failure = new Promise<never>((_resolve, reject) => channel.on('error', reject));
    return await Promise.race([act(channel), failure]);
  } finally {
    await connection.close().catch(() => undefined);
  }
}

async function refused(service: string, act: Act): Promise<void> {
  await expect(allowed(service, act)).rejects.toThrow(/ACCESS_REFUSED/);
}

const consume =
  (queue: string): Act =>
  async (channel) => {
    const { consumerTag } = await channel.consume(queue, () => undefined);
    await channel.cancel(consumerTag);
  };
const publish =
  (exchange: string, key = 'nowhere'): Act =>
  async (channel) => {
    channel.publish(exchange, key, Buffer.from('x'));
    await channel.waitForConfirms();
  };

const declareAll: Act = async (channel) => {
  for (const { name, type, durable } of SEALED_TOPOLOGY.exchanges ?? [])
    await channel.assertExchange(name, type, { durable });
  for (const { name, durable, arguments: limits } of SEALED_TOPOLOGY.queues ?? [])
    await channel.assertQueue(name, { durable, arguments: limits });
  for (const { queue, exchange, routingKey } of SEALED_TOPOLOGY.bindings ?? [])
    await channel.bindQueue(queue, exchange, routingKey);
};

test.each(['api', 'taskmanager', 'conductor'])(
  '%s may declare the topology that all share, which is there as it is',
  async (service) => {
    await allowed(service, declareAll);
  },
);

test('the api asks taskmanagers and hears answers to itself, and gets at nothing that is theirs, the conductor’s or a guest’s', async () => {
  await allowed('api', publish('trove.tasks'));
  await allowed('api', async (channel) => {
    const { queue } = await channel.assertQueue('reply.0123456789abcdef', { exclusive: true });
    await channel.bindQueue(queue, 'trove.reply', 'r.0123456789abcdef.tm');
    await consume(queue)(channel);
  });
  for (const queue of ['taskmanager.tasks', 'taskmanager.calls', 'conductor.ev', 'conductor.hb.0', `guest.${INSTANCE}`])
    await refused('api', consume(queue));
  for (const exchange of ['trove.down', 'trove.up', 'trove.reply', '']) await refused('api', publish(exchange));
  await refused('api', (channel) => channel.deleteQueue(`guest.${INSTANCE}`));
});

test('the conductor hears reports and says nothing', async () => {
  await allowed('conductor', consume('conductor.ev'));
  await allowed('conductor', consume('conductor.hb.f'));
  for (const queue of ['taskmanager.tasks', 'taskmanager.calls', `guest.${INSTANCE}`])
    await refused('conductor', consume(queue));
  for (const exchange of ['trove.tasks', 'trove.down', 'trove.up', 'trove.reply', ''])
    await refused('conductor', publish(exchange));
});

test('the taskmanager hears the api, asks guests, and reads neither reports nor what waits for a guest', async () => {
  await allowed('taskmanager', consume('taskmanager.tasks'));
  await allowed('taskmanager', publish('trove.down', `guest.${INSTANCE}`));
  await allowed('taskmanager', publish('trove.reply'));
  for (const queue of ['conductor.ev', 'conductor.hb.0', `guest.${INSTANCE}`])
    await refused('taskmanager', consume(queue));
  await refused('taskmanager', publish('trove.up'));
});

test('the account that makes guests’ accounts makes their queues too, and reads and sends nothing', async () => {
  await refused('provisioner', consume(`guest.${INSTANCE}`));
  for (const exchange of ['trove.down', 'trove.tasks', 'trove.up', 'trove.reply'])
    await refused('provisioner', publish(exchange));
});
