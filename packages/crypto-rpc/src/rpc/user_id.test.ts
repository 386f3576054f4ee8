import { randomBytes, randomUUID } from 'node:crypto';
import { systemClock } from '@trove/common';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  CONTROL_EXCHANGE,
  firstKey,
  greet,
  guestClient,
  guestHandlers,
  logger,
  PeerTable,
  refusals,
  until,
} from '../../test/fixtures.ts';
import type { Bus } from '../bus/bus.ts';
import { createMemoryBroker } from '../bus/memory_broker.ts';
import type { MemoryBroker } from '../bus/options.ts';
import { createConductorServer } from './conductor_server.ts';
import { guestAccount } from './guest_account.ts';
import { createGuestServer } from './guest_server.ts';
import type { RefusalReason } from './refusal.ts';
import { heartbeatKey, UP_EXCHANGE } from './topology.ts';
import type { GuestClient, GuestServer, HeartbeatReport, RpcServer } from './types.ts';

/** Where the sender's UUID stands in the header. */
const SENDERS_ID = 13;
const HEARTBEAT = { contentType: 'application/octet-stream', persistent: false, mandatory: true };

let broker: MemoryBroker;
let table: PeerTable;
let conductor: RpcServer;
let client: GuestClient;
let reasons: RefusalReason[];
let reports: HeartbeatReport[];
let monotonic: number;
const buses: Bus[] = [];
const guests: GuestServer[] = [];

const open = (user?: string): Bus => {
  const bus = broker.bus(user === undefined ? undefined : { user });
  buses.push(bus);
  return bus;
};

beforeEach(async () => {
  broker = createMemoryBroker();
  table = new PeerTable();
  reports = [];
  monotonic = 0;
  const counted = refusals();
  reasons = counted.reasons;
  const service = open('trove');
  client = guestClient(service, table, counted.onRefused);
  conductor = createConductorServer({
    ...{ sealedBus: service, legacyBus: service, keyStore: table, controlExchange: CONTROL_EXCHANGE, logger },
    clock: { ...systemClock, monotonic: () => monotonic },
    allowPlaintext: true,
    handlers: {
      heartbeats: async (batch) => void reports.push(...batch),
      event: async () => {},
      helloWanted: async () => {},
    },
    onRefused: counted.onRefused,
  });
  await conductor.start();
});

afterEach(async () => {
  await Promise.all([...guests.splice(0), conductor, client].map((part) => part.close()));
  await Promise.all(buses.splice(0).map((bus) => bus.close()));
});

/** A guest of this catalog whose connection has `user`; with `account` its own is demanded of it. */
async function startGuest(demanded: boolean, userOf: (instanceId: string) => string | undefined) {
  const instanceId = randomUUID();
  const { instanceKey } = table.add(2, { instanceId, ...(demanded && { account: guestAccount(instanceId) }) });
  await client.declareGuest(instanceId, 2);
  const server = createGuestServer({
    bus: open(userOf(instanceId)),
    instanceId,
    keys: firstKey(instanceKey),
    controlExchange: CONTROL_EXCHANGE,
    handlers: guestHandlers(),
    logger,
  });
  guests.push(server);
  await server.start();
  return { instanceId, report: () => server.report('heartbeat', { instance_id: instanceId, payload: {} }) };
}

test('a report counts only from the account of the guest that it is sealed by, whatever key opens it', async () => {
  const others = guestAccount(randomUUID());
  const honest = await startGuest(true, guestAccount);
  const stolen = await startGuest(true, () => others);
  const shared = await startGuest(true, () => 'trove');
  const nobody = await startGuest(true, () => undefined);
  for (const guest of [stolen, shared, nobody, honest]) await guest.report();
  await until(() => reports.length === 1 && reasons.length === 3);
  expect(reports.map((report) => report.instanceId)).toEqual([honest.instanceId]);
  expect(reasons).toEqual(['user_id', 'user_id', 'user_id']);
});

test('a guest that shares an account is asked for none, but never speaks through the account of another guest', async () => {
  const shared = await startGuest(false, () => 'trove');
  const stolen = await startGuest(false, () => guestAccount(randomUUID()));
  await stolen.report();
  await shared.report();
  await until(() => reports.length === 1 && reasons.length === 1);
  expect([reports[0]?.instanceId, reasons]).toEqual([shared.instanceId, ['user_id']]);
});

test('whoever makes up whom it speaks for soon has the catalog asked for nobody, and stands in the way of no guest that is known', async () => {
  const [shared, own] = [await startGuest(false, () => 'trove'), await startGuest(true, guestAccount)];
  let sample = Buffer.alloc(0);
  broker.tap(({ body }) => {
    sample = Buffer.from(body);
  });
  await Promise.all([shared.report(), own.report()]);
  await until(() => reports.length === 2);
  const asked: string[] = [];
  const { guestPeer } = table;
  table.guestPeer = (instanceId) => {
    asked.push(instanceId);
    return guestPeer.call(table, instanceId);
  };
  // Topic permissions hold a guest to its own routing keys; what stands inside is its own to choose, and to name no account too.
  const nobody = open();
  const flood = async (count: number): Promise<void> => {
    const before = reasons.length;
    for (let sent = 0; sent < count; sent += 1) {
      const body = Buffer.from(sample);
      randomBytes(16).copy(body, SENDERS_ID);
      await nobody.publish({ exchange: UP_EXCHANGE, routingKey: heartbeatKey(shared.instanceId), body, ...HEARTBEAT });
    }
    await until(() => reasons.length === before + count);
  };
  await flood(3000);
  // What is on its way at once, 100 of one queue, is asked about before any of it is known to be nobody.
  const bound = 1024 + 100;
  expect(asked.length).toBeLessThanOrEqual(bound);
  asked.length = 0;
  await flood(500);
  expect(asked).toEqual([]);
  await Promise.all([shared.report(), own.report()]);
  await until(() => reports.length === 4);
  monotonic += 1000;
  asked.length = 0;
  const another = await startGuest(false, () => 'trove');
  await another.report();
  await until(() => reports.length === 5);
  expect(asked).toEqual([another.instanceId]);
});

test('an answer from any other account leaves its call pending', async () => {
  const honest = await startGuest(true, guestAccount);
  await greet(client, table, honest.instanceId);
  const stolen = await startGuest(true, () => guestAccount(honest.instanceId));
  await expect(client.hello(stolen.instanceId, { deadlineMs: 200 })).rejects.toMatchObject({ code: 'GUEST_TIMEOUT' });
  expect(reasons).toEqual(['user_id']);
});
