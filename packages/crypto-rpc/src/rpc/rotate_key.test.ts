import { Secret, systemClock } from '@trove/common';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BROKERS, type Broker } from '../../test/each_bus.ts';
import {
  CONTROL_EXCHANGE,
  greet,
  guestClient,
  guestHandlers,
  logger,
  PeerTable,
  refusals,
  until,
} from '../../test/fixtures.ts';
import type { Bus } from '../bus/bus.ts';
import { agreedKey, newKeyPair } from '../keys/agreement.ts';
import { keyCheckValue, uplinkKey } from '../keys/derive.ts';
import { heldInMemory } from '../keys/held_keys.ts';
import type { GuestKey, GuestPeer } from '../keys/key_store.ts';
import { createConductorServer } from './conductor_server.ts';
import { createGuestServer } from './guest_server.ts';
import type { GuestClient, GuestServer, HeartbeatReport, RpcServer } from './types.ts';

const PAGE = { limit: 20, marker: null, include_marker: false };
const DEADLINE = { deadlineMs: 5000 };
const SHORT = { deadlineMs: 300 };
const keyOf = (version: number, state: GuestKey['state'], text: string): GuestKey => ({
  ...{ version, state, instanceKey: new Secret(text), uplinkKey: new Secret(uplinkKey(text)) },
});

describe.each(BROKERS)('changing a key %s', (_name, makeBroker) => {
  let broker: Broker;
  let bus: Bus;
  let table: PeerTable;
  let client: GuestClient;
  let server: GuestServer;
  let conductor: RpcServer;
  let id: string;
  let old: string;
  let fences: (bigint | null)[];
  let heartbeats: HeartbeatReport[];
  let wanted: string[];
  let cached: Promise<GuestPeer | undefined> | undefined;
  let read: number;
  let elapsed: number;
  const { reasons, onRefused } = refusals();

  const startGuest = async (bootstrapUntil?: number): Promise<void> => {
    server = createGuestServer({
      ...{ bus, instanceId: id, controlExchange: CONTROL_EXCHANGE, logger, onRefused, handlers: guestHandlers() },
      keys: heldInMemory({ version: 1, text: new Secret(old), bootstrapUntil }),
      passFence: (fence) => void fences.push(fence),
    });
    await server.start();
    await greet(client, table, id);
  };
  /** As a taskmanager does: asks, derives, stores. */
  const agree = async (version: number): Promise<string> => {
    const own = newKeyPair();
    const args = { version, public: own.public.toString('hex') };
    const answer = await client.call(id, 'rotate_key', args, { ...DEADLINE, fence: 7n, keyVersion: 1 });
    const guest = Buffer.from(answer.public, 'hex');
    const text = agreedKey(own, guest, { version, oldKey: old, taskmanager: own.public, guest }).reveal();
    expect(answer.kcv).toBe(keyCheckValue(text));
    table.change(id, { keys: [keyOf(1, 'active', old), keyOf(version, 'pending', text)] });
    return text;
  };
  const list = (options: Parameters<GuestClient['call']>[3] = DEADLINE): Promise<unknown> =>
    client.call(id, 'list_databases', PAGE, options);
  const beat = (): Promise<void> =>
    server.report('heartbeat', { instance_id: id, payload: { service_status: 'healthy' } });

  beforeEach(async () => {
    [fences, heartbeats, wanted, read, elapsed, cached] = [[], [], [], 0, 0, undefined];
    reasons.length = 0;
    broker = await makeBroker();
    bus = await broker.open();
    table = new PeerTable();
    client = guestClient(bus, table);
    ({ instanceId: id, instanceKey: old } = table.add(2));
    await client.declareGuest(id, 2);
    conductor = createConductorServer({
      ...{ sealedBus: bus, legacyBus: bus, controlExchange: CONTROL_EXCHANGE, allowPlaintext: true, logger, onRefused },
      clock: { ...systemClock, monotonic: () => elapsed },
      keyStore: {
        // As the catalog's: who asks while it is read gets the same reading.
        guestPeer: (instanceId) => {
          if (cached === undefined) read += 1;
          cached ??= table.guestPeer(instanceId);
          return cached;
        },
        forget: () => {
          cached = undefined;
        },
      },
      handlers: {
        heartbeats: async (batch) => void heartbeats.push(...batch),
        event: async () => undefined,
        helloWanted: async (instanceId) => void wanted.push(instanceId),
      },
    });
    await conductor.start();
  });
  afterEach(async () => {
    await server.close();
    await conductor.close();
    await client.close();
    await broker.dispose();
  });

  test('agreed, proven by hello, and used: the old key goes on for calls, and for nothing about keys', async () => {
    await startGuest();
    const text = await agree(2);
    expect(fences).toEqual([7n]);
    await expect(list({ ...SHORT, keyVersion: 2 })).rejects.toMatchObject({ code: 'GUEST_TIMEOUT' });
    expect(await client.hello(id, { ...DEADLINE, keyVersion: 2 })).toMatchObject({
      ...{ keyVersion: 2, kcv: keyCheckValue(text) },
    });
    expect(await list({ ...DEADLINE, keyVersion: 2 })).toEqual([[{ _name: 'foo20' }], null]);
    expect(await list()).toEqual([[{ _name: 'foo20' }], null]);
    await expect(client.hello(id, SHORT)).rejects.toMatchObject({ code: 'GUEST_TIMEOUT' });
    const args = { version: 3, public: newKeyPair().public.toString('hex') };
    await expect(client.call(id, 'rotate_key', args, SHORT)).rejects.toMatchObject({ code: 'GUEST_TIMEOUT' });
    expect(new Set(reasons)).toEqual(new Set(['key_version']));
    await expect(
      client.call(id, 'rotate_key', { ...args, version: 2 }, { ...DEADLINE, keyVersion: 2 }),
    ).rejects.toThrow('above that of the present one');
  });

  test('a report under the key that was just proven counts, and asks for somebody to settle it', async () => {
    await startGuest();
    await agree(2);
    await beat();
    await until(() => heartbeats.length === 1);
    expect(wanted).toEqual([]);
    await client.hello(id, { ...DEADLINE, keyVersion: 2 });
    await beat();
    await until(() => heartbeats.length === 2);
    expect([wanted, reasons]).toEqual([[id], []]);
  });

  test('a version that the conductor has not read yet is looked for, and one that does not exist costs a reading a second', async () => {
    await startGuest();
    const { keys = [] } = table.peers.get(id) ?? {};
    table.change(id, { keys: [] });
    for (let turn = 0; turn < 5; turn += 1) await beat();
    await until(() => reasons.length === 5);
    expect([reasons, read]).toEqual([Array(5).fill('key_version'), 2]);
    table.change(id, { keys });
    elapsed = 1000;
    await beat();
    await until(() => heartbeats.length === 1);
    expect(read).toBe(3);
  });

  test('under a key that was injected nothing is sealed, opened or reported but what it is for', async () => {
    const bootstrap = { ...keyOf(1, 'active', old), bootstrap: 'valid' } as const;
    table.change(id, { keys: [bootstrap] });
    await startGuest(Date.now() + 60_000);
    await expect(list()).rejects.toMatchObject({ code: 'UNPROCESSABLE', message: `Instance ${id} is being set up.` });
    await expect(beat()).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE' });
    // Whoever has read the key where it was injected.
    table.change(id, { keys: [keyOf(1, 'active', old)] });
    await expect(list(SHORT)).rejects.toMatchObject({ code: 'GUEST_TIMEOUT' });
    expect(reasons).toEqual(['bootstrap']);
    await agree(2);
    await client.hello(id, { ...DEADLINE, keyVersion: 2 });
    await beat();
    await until(() => heartbeats.length === 1);
    await expect(client.hello(id, { ...SHORT, keyVersion: 1 })).rejects.toMatchObject({ code: 'GUEST_TIMEOUT' });
    expect(reasons.at(-1)).toBe('key_version');
  });

  test('a conductor takes no report under it, and after half an hour nobody speaks under it', async () => {
    await startGuest();
    table.change(id, { keys: [{ ...keyOf(1, 'active', old), bootstrap: 'valid' }] });
    await beat();
    await until(() => reasons.length === 1);
    table.change(id, { keys: [{ ...keyOf(1, 'active', old), bootstrap: 'over' }] });
    cached = undefined;
    await beat();
    await until(() => reasons.length === 2);
    expect([reasons, heartbeats]).toEqual([['bootstrap', 'bootstrap'], []]);
    await expect(client.hello(id, DEADLINE)).rejects.toThrow('did not agree on a key within 30 minutes');
  });
});
