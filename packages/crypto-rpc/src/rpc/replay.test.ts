import { type Clock, Secret, silentLogger } from '@trove/common';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CONTROL_EXCHANGE, greet, guestHandlers, logger, PeerTable, refusals, until } from '../../test/fixtures.ts';
import type { Bus } from '../bus/bus.ts';
import { createMemoryBroker } from '../bus/memory_broker.ts';
import type { TappedMessage } from '../bus/options.ts';
import { createConductorServer } from './conductor_server.ts';
import { createGuestClient } from './guest_client.ts';
import { createGuestServer } from './guest_server.ts';
import type { OnRefused } from './refusal.ts';
import { createTaskmanagerClient } from './taskmanager_client.ts';
import { createTaskmanagerServer } from './taskmanager_server.ts';
import { DOWN_EXCHANGE, REPLY_EXCHANGE, TASKS_EXCHANGE, UP_EXCHANGE } from './topology.ts';
import type { GuestClient, GuestServer } from './types.ts';

const DEADLINE = { deadlineMs: 10_000 };
const DATABASES = { databases: [{ _name: 'once' }] };
const MINUTE = 60_000;

/** A clock that is moved by hand, and wrong by `offset`. */
function handClock(offset = 0): Clock & { forward(ms: number): void } {
  let gone = 0;
  return {
    now: () => Date.now() + offset + gone,
    monotonic: () => 5000 + gone,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    forward: (ms) => void (gone += ms),
  };
}

let bus: Bus;
let table: PeerTable;
let tapped: TappedMessage[];
let effects: string[];
let reasons: string[];
let onRefused: OnRefused;
const open: { close(): Promise<void> }[] = [];

beforeEach(() => {
  const broker = createMemoryBroker();
  bus = broker.bus();
  tapped = [];
  broker.tap((message) => tapped.push(message));
  table = new PeerTable();
  effects = [];
  ({ reasons, onRefused } = refusals());
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((part) => part.close()));
  await bus.close();
});

/** Whoever owns the broker: the same bytes once more. */
async function replay(message: TappedMessage | undefined): Promise<void> {
  if (message === undefined) throw new Error('nothing was recorded');
  const { exchange, routingKey, body, contentType } = message;
  await bus.publish({
    exchange,
    routingKey,
    body: Buffer.from(body),
    contentType,
    persistent: false,
    mandatory: false,
  });
}

const recorded = (exchange: string): TappedMessage[] => tapped.filter((message) => message.exchange === exchange);

describe('a guest', () => {
  let client: GuestClient;
  let clock: ReturnType<typeof handClock>;
  let guestClock: ReturnType<typeof handClock>;
  let instanceId: string;
  let keys: ReturnType<PeerTable['add']>['keys'];

  const start = async (): Promise<GuestServer> => {
    const server = createGuestServer({
      bus,
      instanceId,
      keys,
      controlExchange: CONTROL_EXCHANGE,
      handlers: guestHandlers({
        create_database: async (_args, { messageId }) => {
          effects.push(messageId);
          return null;
        },
      }),
      logger,
      clock: guestClock,
      onRefused,
    });
    open.push(server);
    await server.start();
    return server;
  };

  beforeEach(async () => {
    clock = handClock();
    guestClock = handClock(3650 * 24 * 60 * MINUTE);
    const options = { sealedBus: bus, legacyBus: bus, keyStore: table, controlExchange: CONTROL_EXCHANGE };
    client = createGuestClient({ ...options, logger, clock });
    open.push(client);
    ({ instanceId, keys } = table.add(2));
    await client.declareGuest(instanceId, 2);
  });

  test('takes no effect from the same bytes again, however often they come', async () => {
    await start();
    await greet(client, table, instanceId);
    await client.call(instanceId, 'create_database', DATABASES, DEADLINE);
    const [, request] = recorded(DOWN_EXCHANGE);
    for (let again = 0; again < 20; again += 1) await replay(request);
    await until(() => reasons.length === 20);
    expect([effects.length, new Set(reasons)]).toEqual([1, new Set(['duplicate'])]);
  });

  test('that started anew refuses what was sealed for its earlier boot, says so, and is asked again once it was greeted', async () => {
    const first = await start();
    await greet(client, table, instanceId);
    await client.call(instanceId, 'create_database', DATABASES, DEADLINE);
    const [, request] = recorded(DOWN_EXCHANGE);
    await first.close();
    await start();
    await replay(request);
    await until(() => reasons.length === 1);
    expect([effects.length, reasons]).toEqual([1, ['boot_nonce']]);
    await expect(client.call(instanceId, 'create_database', DATABASES, DEADLINE)).rejects.toMatchObject({
      code: 'STALE_BOOT',
    });
    await greet(client, table, instanceId);
    await client.call(instanceId, 'create_database', DATABASES, DEADLINE);
    expect(effects).toHaveLength(2);
  });

  test('is reached by a caller that learns the new boot meanwhile, who seals anew by itself', async () => {
    await start();
    await greet(client, table, instanceId);
    const present = table.peers.get(instanceId)?.bootNonce ?? null;
    table.change(instanceId, { bootNonce: Buffer.alloc(16, 9) });
    table.forget = () => table.change(instanceId, { bootNonce: present });
    await client.call(instanceId, 'create_database', DATABASES, DEADLINE);
    expect([effects.length, reasons]).toEqual([1, ['boot_nonce']]);
  });

  test('resumed from a snapshot takes a new boot with hello: what the lost time was asked stays without a second effect', async () => {
    await start();
    await greet(client, table, instanceId);
    await client.call(instanceId, 'create_database', DATABASES, DEADLINE);
    const [, request] = recorded(DOWN_EXCHANGE);
    table.change(instanceId, { sequence: 7n });
    await greet(client, table, instanceId);
    guestClock.forward(12 * MINUTE);
    clock.forward(12 * MINUTE);
    await replay(request);
    await until(() => reasons.length === 1);
    expect(effects).toHaveLength(1);
  });

  test('judges by the time that hello told, whatever its own clock shows', async () => {
    await start();
    await greet(client, table, instanceId);
    await client.call(instanceId, 'create_database', DATABASES, DEADLINE);
    clock.forward(2 * MINUTE);
    await expect(client.call(instanceId, 'create_database', DATABASES, { deadlineMs: 300 })).rejects.toMatchObject({
      code: 'GUEST_TIMEOUT',
    });
    await greet(client, table, instanceId);
    await client.call(instanceId, 'create_database', DATABASES, DEADLINE);
    expect([effects.length, reasons]).toEqual([2, ['expiry']]);
  });

  test('forgets ids only when their messages have expired', async () => {
    await start();
    await greet(client, table, instanceId);
    await client.call(instanceId, 'create_database', DATABASES, { deadlineMs: 10 * MINUTE });
    const [hello, request] = recorded(DOWN_EXCHANGE);
    for (const minutes of [5, 5.5, 1, 3, 60]) {
      guestClock.forward(minutes * MINUTE);
      const before = reasons.length;
      await replay(request);
      await replay(hello);
      await until(() => reasons.length === before + 2);
    }
    expect(effects).toHaveLength(1);
    expect(reasons.filter((reason) => reason === 'duplicate').length).toBeGreaterThan(1);
    expect(recorded(REPLY_EXCHANGE)).toHaveLength(2);
  });
});

test('in quarantine nothing is asked of a guest, not even hello', async () => {
  const { instanceId } = table.add(2, { quarantined: true, bootNonce: Buffer.alloc(16, 1) });
  const options = { sealedBus: bus, legacyBus: bus, keyStore: table, controlExchange: CONTROL_EXCHANGE };
  const client = createGuestClient({ ...options, logger });
  open.push(client);
  await expect(client.hello(instanceId, DEADLINE)).rejects.toThrow('in quarantine');
  await expect(client.call(instanceId, 'restart', {}, DEADLINE)).rejects.toThrow('in quarantine');
  expect(tapped).toEqual([]);
});

test('a taskmanager passes a call that changes something on once, also after its restart, and leaves the second unanswered', async () => {
  const controlKeys = { ring: [new Secret('k1')] };
  const arrived = new Set<string>();
  const server = async (): Promise<{ close(): Promise<void> }> => {
    const made = createTaskmanagerServer({
      ...{ bus, controlKeys, controlExchange: CONTROL_EXCHANGE, host: 'tm1', logger, onRefused },
      firstArrival: async ({ messageId }) => {
        const isFirst = !arrived.has(messageId);
        arrived.add(messageId);
        return isFirst;
      },
      handlers: {
        run_task: async () => null,
        list_databases: async () => [[], null],
        create_database: async (_args, { messageId }) => {
          effects.push(messageId);
          return null;
        },
        delete_database: async () => null,
        list_users: async () => [[], null],
        create_user: async () => null,
      },
    });
    await made.start();
    return made;
  };
  const first = await server();
  const api = createTaskmanagerClient({ bus, controlKeys, controlExchange: CONTROL_EXCHANGE, logger: silentLogger });
  open.push(api);
  const instance_id = '792fa220-2a40-4831-85af-cfb0ded8033c';
  await api.call('create_database', { instance_id, ...DATABASES }, DEADLINE);
  const [request] = recorded(TASKS_EXCHANGE);
  await replay(request);
  await until(() => reasons.length === 1);
  await first.close();
  open.push(await server());
  await replay(request);
  await until(() => reasons.length === 2);
  expect([effects.length, reasons]).toEqual([1, ['duplicate', 'duplicate']]);
  expect(recorded(REPLY_EXCHANGE)).toHaveLength(1);
});

describe('a conductor', () => {
  const start = async (clock: Clock): Promise<{ late: string[]; taken: bigint[] }> => {
    const late: string[] = [];
    const taken: bigint[] = [];
    const server = createConductorServer({
      ...{
        sealedBus: bus,
        legacyBus: bus,
        keyStore: table,
        controlExchange: CONTROL_EXCHANGE,
        logger,
        onRefused,
        clock,
      },
      allowPlaintext: true,
      handlers: {
        heartbeats: async (batch) => void taken.push(...batch.map(({ sequence }) => sequence ?? 0n)),
        event: async () => undefined,
        helloWanted: async (instanceId) => void late.push(instanceId),
      },
    });
    open.push(server);
    await server.start();
    return { late, taken };
  };

  const guest = (clock: Clock): { server: GuestServer; instanceId: string } => {
    const { instanceId, keys } = table.add(2);
    const options = { bus, instanceId, keys, controlExchange: CONTROL_EXCHANGE };
    const server = createGuestServer({ ...options, handlers: guestHandlers(), logger, clock });
    open.push(server);
    return { server, instanceId };
  };
  const beat = (instanceId: string) => ({ instance_id: instanceId, payload: { service_status: 'healthy' } });

  test('does not judge the time of a boot that was not greeted, and asks for hello where a greeted one is off', async () => {
    const { late, taken } = await start(handClock());
    const { server, instanceId } = guest(handClock(-3650 * 24 * 60 * MINUTE));
    await server.report('heartbeat', beat(instanceId));
    await until(() => taken.length === 1);
    table.change(instanceId, { bootNonce: server.bootNonce });
    await server.report('heartbeat', beat(instanceId));
    await until(() => late.length === 1);
    expect([taken, late, reasons]).toEqual([[1n], [instanceId], ['expiry']]);
  });

  test('takes no heartbeat that is older than its life, and nothing at all from a guest in quarantine', async () => {
    const clock = handClock();
    const { taken } = await start(clock);
    const { server, instanceId } = guest(handClock());
    table.change(instanceId, { bootNonce: server.bootNonce });
    await server.report('heartbeat', beat(instanceId));
    await until(() => taken.length === 1);
    clock.forward(3 * MINUTE);
    await replay(recorded(UP_EXCHANGE)[0]);
    await until(() => reasons.length === 1);
    table.change(instanceId, { quarantined: true });
    await server.report('heartbeat', beat(instanceId));
    await until(() => reasons.length === 2);
    expect([taken, reasons]).toEqual([[1n], ['expiry', 'quarantine']]);
  });

  test('stops deriving keys for sessions that never open, and still hears the real one', async () => {
    const { taken } = await start(handClock());
    const { server, instanceId } = guest(handClock());
    await server.report('heartbeat', beat(instanceId));
    await until(() => taken.length === 1);
    const [real] = recorded(UP_EXCHANGE);
    for (let sent = 0; sent < 100; sent += 1) {
      const body = Buffer.from(real?.body ?? '');
      body.writeUInt32BE(sent + 1, 130);
      await replay(real && { ...real, body });
    }
    await until(() => reasons.length === 100);
    expect(reasons.filter((reason) => reason === 'commitment')).toHaveLength(32);
    expect(reasons.filter((reason) => reason === 'rate')).toHaveLength(68);
    await server.report('heartbeat', beat(instanceId));
    await until(() => taken.length === 2);
  });
});
