import {
  activateKey,
  countAccount,
  type InstanceReportRow,
  insertInstance,
  intendAccount,
  storePendingKey,
  withTransaction,
} from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { createMetrics, newUuid, randomText, Secret, silentLogger } from '@trove/common';
import type { ComputeDriver } from '@trove/compute';
import { buildConductor } from '@trove/conductor';
import {
  type Bus,
  createAmqpBus,
  createGuestServer,
  createTaskmanagerClient,
  type GuestHandlers,
  type GuestServer,
  guestAccount,
  heldInMemory,
  keyCheckValue,
  type TaskmanagerClient,
  uplinkKey,
} from '@trove/crypto-rpc';
import { type BrokerAccounts, buildTaskmanager, openBrokerAccounts, readDeploymentId } from '@trove/taskmanager';
import { testBroker } from '@trove/testkit';
import { type Channel, type ChannelModel, type ConfirmChannel, type ConsumeMessage, connect } from 'amqplib';

/** One guest: its agent as it should be, and what somebody has who took its server over. */
export interface Guest {
  readonly id: string;
  readonly key: string;
  /** What its agent was asked that changes something, in order. */
  readonly effects: string[];
  /** Its present boot nonce. */
  readonly boot: () => Buffer;
  /** A plain client under its account. */
  readonly plain: ConfirmChannel;
  /** Another boot of the same agent. */
  restart(): Promise<void>;
  heartbeat(): Promise<void>;
  /** What its next answer waits for. */
  hold: Promise<unknown>;
}

/** Everything that went over the broker. */
export interface Recorded {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly contentType: string;
}

export interface Scene {
  readonly catalog: TestCatalog;
  readonly accounts: BrokerAccounts;
  readonly api: TaskmanagerClient;
  /** A plain client under the administrator's account. */
  readonly admin: ConfirmChannel;
  readonly recorded: Recorded[];
  /** Why messages were refused, by whomever. */
  readonly reasons: string[];
  guest(): Promise<Guest>;
  report(id: string): Promise<InstanceReportRow | undefined>;
  createDatabase(id: string, name: string): Promise<unknown>;
  dispose(): Promise<void>;
}

const CONTROL_KEY = 'k1-of-the-attacked';
const RINGS = { instance: [new Secret('kek-of-the-attacked')], uplink: [new Secret('uplink-kek-of-the-attacked')] };
const ENVELOPE = 'application/vnd.trove.rpc2';

/** No task runs in these tests, so nothing is made. */
const NO_COMPUTE = new Proxy({} as ComputeDriver, {
  get: (_target, name) => (name === 'name' ? 'local' : async () => undefined),
});

export const settled = (ms = 300): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(holds: () => boolean | Promise<boolean>, withinMs = 40_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error('it did not come to hold');
    await settled(20);
  }
}

/** Publishes and waits for the broker's confirm. */
export async function send(
  channel: ConfirmChannel,
  exchange: string,
  routingKey: string,
  body: Buffer,
  options: { userId?: string; CC?: string[]; BCC?: string[]; contentType?: string } = {},
): Promise<void> {
  channel.publish(exchange, routingKey, body, { contentType: ENVELOPE, ...options });
  await channel.waitForConfirms();
}

/** A control plane on a real broker, with a tap, and guests that have broker accounts of their own. */
export async function openScene(): Promise<Scene> {
  const [broker, catalog] = await Promise.all([testBroker(), testCatalog('sqlite')]);
  const closers: (() => Promise<unknown>)[] = [];
  const reasons: string[] = [];
  const openBus = async (url: string): Promise<Bus> => {
    const transport = { transportUrl: new Secret(url), connectionName: 'attacked', waitConnected: true };
    const bus = await createAmqpBus({ ...transport, logger: silentLogger });
    closers.unshift(() => bus.close());
    return bus;
  };
  const openPlain = async (url: string): Promise<ConfirmChannel> => {
    const connection: ChannelModel = await connect(url);
    connection.on('error', () => undefined);
    closers.unshift(() => connection.close().catch(() => undefined));
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => undefined);
    return channel;
  };
  const management = { broker_management_url: new Secret(broker.managementUrl), broker_management_ca: undefined };
  const accounts = await openBrokerAccounts(management, new Secret(broker.url), silentLogger, () =>
    readDeploymentId(catalog),
  );
  if (accounts === undefined) throw new Error('the broker has no accounts');
  const metrics = {
    ...createMetrics(),
    count: (name: string, _help: string, { reason }: Readonly<Record<string, string>>) => {
      if (name === 'trove_refused_messages_total' && reason !== undefined) reasons.push(reason);
    },
  };
  const bus = await openBus(broker.url);
  const common = { catalog, sealedBus: bus, legacyBus: bus, logger: silentLogger, metrics };
  const names = { control_exchange: 'trove', conductor_queue: 'trove-conductor', host: 'here' };
  const conductor = buildConductor({
    ...common,
    keyRings: { instance: [], uplink: RINGS.uplink },
    settings: { ...names, allow_plaintext: true },
  });
  const controlKeys = { ring: [new Secret(CONTROL_KEY)] };
  const taskmanager = buildTaskmanager({
    ...{ ...common, controlKeys, keyRings: RINGS, compute: NO_COMPUTE, accounts },
    settings: {
      ...names,
      report_interval: 30,
      agent_call_low_timeout: 15,
      agent_call_high_timeout: 15,
      enable_secure_rpc_messaging: true,
      taskmanager_queue: 'taskmanager',
    },
    guestTransport: { clear: new Secret(broker.url), sealed: new Secret(broker.url) },
  });
  await conductor.start();
  await taskmanager.start();
  const onRefused = (reason: string): void => void reasons.push(reason);
  const apiOptions = { bus, controlKeys, controlExchange: 'trove', logger: silentLogger, onRefused };
  const api = createTaskmanagerClient(apiOptions);
  closers.unshift(
    () => api.close(),
    () => taskmanager.close(),
    () => conductor.close(),
  );
  const admin = await openPlain(broker.url);
  const recorded: Recorded[] = [];
  const tap = await openTap(admin, recorded);

  const addGuest = async (): Promise<Guest> => {
    const [id, key, password] = [newUuid(), randomText(32), new Secret(randomText(32))];
    await storeGuest(catalog, id, key);
    await accounts.make(id, password);
    await tap(id);
    const url = new URL(broker.url);
    Object.assign(url, { username: guestAccount(id), password: password.reveal() });
    const guestBus = await openBus(url.href);
    const start = async (): Promise<GuestServer> => {
      const agent = createGuestServer({
        ...{
          bus: guestBus,
          instanceId: id,
          keys: heldInMemory({ version: 1, text: new Secret(key) }),
          account: guestAccount(id),
        },
        controlExchange: 'trove',
        logger: silentLogger,
        handlers: handlersOf(made),
        onRefused,
      });
      await agent.start();
      return agent;
    };
    const made = { id, key, effects: [] as string[], hold: Promise.resolve() as Promise<unknown> };
    let agent = await start();
    closers.unshift(() => agent.close());
    const guest: Guest = Object.assign(made, {
      boot: () => agent.bootNonce,
      plain: await openPlain(url.href),
      async restart() {
        await agent.close();
        agent = await start();
      },
      heartbeat: () => agent.report('heartbeat', { instance_id: id, payload: { service_status: 'healthy' } }),
    });
    await guest.heartbeat();
    await until(async () => (await reportOf(catalog, id))?.boot_nonce === agent.bootNonce.toString('hex'));
    return guest;
  };

  return {
    ...{ catalog, accounts, api, admin, recorded, reasons },
    guest: addGuest,
    report: (id) => reportOf(catalog, id),
    createDatabase: (id, name) =>
      api.call('create_database', { instance_id: id, databases: [{ _name: name }] }, { deadlineMs: 20_000 }),
    async dispose() {
      for (const close of closers) await close();
      await accounts.close();
      await catalog.dispose();
      await broker.dispose();
    },
  };
}

async function reportOf(catalog: TestCatalog, id: string): Promise<InstanceReportRow | undefined> {
  return await catalog.knex<InstanceReportRow>('instance_reports').where({ instance_id: id }).first();
}

/** A guest as a finished create leaves it. */
async function storeGuest(catalog: TestCatalog, id: string, key: string): Promise<void> {
  const row = { name: 'one', tenant_id: 'p', flavor_id: '1', volume_size: 1, datastore_version_id: null };
  await withTransaction(catalog, async (tx) => {
    await insertInstance(tx, { id, ...row, region_id: null, access: null });
    const version = { instanceId: id, version: 1, fence: 0n };
    const keys = { instanceKey: new Secret(key), uplinkKey: new Secret(uplinkKey(key)), kcv: keyCheckValue(key) };
    await storePendingKey(tx, RINGS, { ...version, ...keys });
    await activateKey(tx, RINGS, version);
    await intendAccount(tx, { instanceId: id, taskId: newUuid(), account: guestAccount(id) });
    await countAccount(tx, id);
  });
}

function handlersOf(guest: { effects: string[]; hold: Promise<unknown> }): GuestHandlers {
  const effect = (text: string): null => {
    guest.effects.push(text);
    return null;
  };
  return {
    rpc_ping: async () => true,
    prepare: async () => {
      effect('prepare');
      return { accepted: true };
    },
    get_outcome: async () => ({ state: 'unknown' }),
    get_filesystem_stats: async () => ({ block_size: 1, total_blocks: 1, free_blocks: 1, total: 1, free: 1, used: 0 }),
    create_database: async ({ databases }) => {
      await guest.hold;
      return effect(`create ${databases.map(({ _name }) => _name).join()}`);
    },
    delete_database: async () => effect('delete'),
    list_databases: async () => [[], null],
    create_user: async () => effect('create user'),
    list_users: async () => [[], null],
    restart: async () => effect('restart'),
    pre_upgrade: async () => {
      effect('pre_upgrade');
      return {};
    },
    post_upgrade: async () => effect('post_upgrade'),
  };
}

/** Copies of all messages into `recorded`; guests' queues are added one by one, since their exchange is direct. */
async function openTap(admin: Channel, recorded: Recorded[]): Promise<(guestId: string) => Promise<void>> {
  const { queue } = await admin.assertQueue('', { exclusive: true });
  for (const exchange of ['trove.up', 'trove.reply']) await admin.bindQueue(queue, exchange, '#');
  for (const key of ['taskmanager.calls', 'taskmanager.tasks']) await admin.bindQueue(queue, 'trove.tasks', key);
  const onMessage = (message: ConsumeMessage | null): void => {
    if (message === null) return;
    const { exchange, routingKey } = message.fields;
    const contentType = String(message.properties.contentType);
    recorded.push({ exchange, routingKey, body: message.content, contentType });
  };
  await admin.consume(queue, onMessage, { noAck: true });
  return async (guestId) => {
    await admin.bindQueue(queue, 'trove.down', `guest.${guestId}`);
  };
}
