import { createKeyStore, type InstanceReportRow, insertInstance, toBigint, withTransaction } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { newUuid, Secret, silentLogger, TroveError } from '@trove/common';
import { type Bus, createAmqpBus, createGuestClient, createGuestServer, type GuestServer } from '@trove/crypto-rpc';
import type { Json, StepContext } from '@trove/tasks';
import { testBroker } from '@trove/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Unheard } from '../shared/ask_guest.ts';
import type { TaskTools } from '../shared/tools.ts';
import { requireSilence } from './require_silence.ts';

const HIGH_US = 600_000_000;
const RINGS = { instance: [new Secret('kek-of-this-test')], uplink: [] };

let catalog: TestCatalog;
let broker: Awaited<ReturnType<typeof testBroker>>;
let bus: Bus;
let guests: ReturnType<typeof createGuestClient>;
let tools: TaskTools;
let id: string;
let noted: Json | undefined;

beforeAll(async () => {
  [catalog, broker] = await Promise.all([testCatalog('sqlite'), testBroker()]);
  const options = { transportUrl: new Secret(broker.url), connectionName: 'silence', logger: silentLogger };
  bus = await createAmqpBus(options);
  const keyStore = createKeyStore(catalog, RINGS, { role: 'taskmanager' });
  const buses = { sealedBus: bus, legacyBus: bus };
  guests = createGuestClient({ ...buses, keyStore, controlExchange: 'trove', logger: silentLogger });
  const settings = { lowMs: 10_000, highMs: HIGH_US / 1000 };
  tools = { catalog, guests, settings, unheard: new Unheard() } as unknown as TaskTools;
});
afterAll(async () => {
  await guests.close();
  await bus.close();
  await Promise.all([catalog.dispose(), broker.dispose()]);
});
beforeEach(async () => {
  [id, noted] = [newUuid(), undefined];
  const row = { name: 'one', tenant_id: 'p', flavor_id: '1', volume_size: 1, region_id: null, access: null };
  await withTransaction(catalog, (tx) => insertInstance(tx, { id, ...row, datastore_version_id: null }));
});

/** One look of the step, as if the guest had been asked in vain from so long ago on. */
async function look(askedForUs?: number): Promise<unknown> {
  const now = Date.now() * 1000;
  if (askedForUs !== undefined) noted = { first_asked: now - askedForUs - 20_000_000, last_asked: now - 20_000_000 };
  const context = {
    ...{ task: { id, instanceId: id, fence: 1n }, token: 'token', noted, logger: silentLogger },
    signal: new AbortController().signal,
    note: async (value: Json) => void (noted = value),
  };
  return await requireSilence(tools).run(context as unknown as StepContext);
}

function guestInClear(): GuestServer {
  const notAsked = async (): Promise<never> => {
    throw new TroveError('GUEST_ERROR', 'Not asked in this test.');
  };
  const methods = ['prepare', 'get_outcome', 'get_filesystem_stats', 'create_database', 'delete_database'] as const;
  const others = ['list_databases', 'create_user', 'list_users', 'restart', 'pre_upgrade', 'post_upgrade'] as const;
  const handlers = Object.fromEntries([...methods, ...others].map((method) => [method, notAsked]));
  const server = { bus, instanceId: id, controlExchange: 'trove', logger: silentLogger };
  return createGuestServer({ ...server, handlers: { ...handlers, rpc_ping: async () => true } as never });
}

const waits = { wait: expect.anything() as unknown };

test('a guest that has no queue, or does not take from it, is silent once it has been asked for as long as it may take', async () => {
  expect(await look()).toEqual(waits);
  expect(noted).toMatchObject({ first_asked: expect.any(Number) as number });
  expect(await look(HIGH_US - 1_000_000)).toEqual(waits);
  expect(await look(HIGH_US + 1_000_000)).toEqual({ done: { silent: true } });
});

test('one that answers is to be upgraded, however long it was silent', async () => {
  const server = guestInClear();
  await server.start();
  try {
    const why = { code: 'UNPROCESSABLE', retryable: false, message: expect.stringContaining('answers') as string };
    await expect(look(2 * HIGH_US)).rejects.toMatchObject(why);
  } finally {
    await server.close();
  }
  // It has gone, and its queue is there still.
  noted = undefined;
  expect(await look()).toEqual(waits);
});

test('one that reports meanwhile is not', async () => {
  const received_at = toBigint((Date.now() - 60_000) * 1000);
  await catalog
    .knex<InstanceReportRow>('instance_reports')
    .insert({ instance_id: id, received_at: String(received_at) });
  expect(await look(HIGH_US + 1_000_000)).toEqual(waits);
});

test('a broker that is away says nothing of the guest', async () => {
  const away: TaskTools = {
    ...tools,
    guests: { ...guests, call: () => Promise.reject(new TroveError('BUS_UNAVAILABLE', 'away', { retryable: true })) },
  };
  tools = away;
  await expect(look()).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE', retryable: true });
  expect(noted).toBeUndefined();
});
