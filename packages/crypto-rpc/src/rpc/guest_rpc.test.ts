import { TroveError } from '@trove/common';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BROKERS, type Broker } from '../../test/each_bus.ts';
import {
  CONTROL_EXCHANGE,
  firstKey,
  greet,
  guestClient,
  guestHandlers,
  logger,
  PeerTable,
  refusals,
} from '../../test/fixtures.ts';
import type { Bus } from '../bus/bus.ts';
import { createGuestServer } from './guest_server.ts';
import type { Caller, GuestClient, GuestHandlers, GuestServer } from './types.ts';

const PAGE = { limit: 20, marker: null, include_marker: false };
const DEADLINE = { deadlineMs: 5000 };

describe.each(BROKERS)('taskmanager and guest %s', (_name, makeBroker) => {
  let broker: Broker;
  let bus: Bus;
  let table: PeerTable;
  let client: GuestClient;
  const servers: GuestServer[] = [];

  beforeEach(async () => {
    broker = await makeBroker();
    bus = await broker.open();
    table = new PeerTable();
    client = guestClient(bus, table);
  });

  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
    await client.close();
    await broker.dispose();
  });

  const startGuest = async (
    policy: 0 | 2,
    handlers: Partial<GuestHandlers> = {},
  ): Promise<{ instanceId: string; server: GuestServer }> => {
    const { instanceId, instanceKey } = table.add(policy);
    await client.declareGuest(instanceId, policy);
    const server = createGuestServer({
      bus,
      instanceId,
      ...(policy === 2 ? { keys: firstKey(instanceKey) } : {}),
      controlExchange: CONTROL_EXCHANGE,
      handlers: guestHandlers(handlers),
      logger,
    });
    servers.push(server);
    await server.start();
    if (policy === 2) await greet(client, table, instanceId);
    return { instanceId, server };
  };

  test('a sealed call is answered, and the handler knows what opened with it', async () => {
    const callers: Caller[] = [];
    const { instanceId } = await startGuest(2, {
      list_databases: async (_args, caller) => {
        callers.push(caller);
        return [[{ _name: 'foo20' }], null];
      },
    });
    const context = { request_id: 'req-1', project_id: 'p', user_id: 'u' };
    const options = { ...DEADLINE, context, fence: 2n ** 60n, idempotencyKey: 'k1' };
    expect(await client.call(instanceId, 'list_databases', PAGE, options)).toEqual([[{ _name: 'foo20' }], null]);
    expect(callers).toMatchObject([
      { role: 'taskmanager', context, fence: 2n ** 60n, idempotencyKey: 'k1', legacy: false },
    ]);
  });

  test('hello tells boot nonce, sequence and check value, and nothing else may be asked before it', async () => {
    const { instanceId, instanceKey } = table.add(2);
    await client.declareGuest(instanceId, 2);
    await expect(client.call(instanceId, 'list_databases', PAGE, DEADLINE)).rejects.toMatchObject({
      code: 'STALE_BOOT',
    });
    const server = createGuestServer({
      bus,
      instanceId,
      keys: firstKey(instanceKey),
      controlExchange: CONTROL_EXCHANGE,
      handlers: guestHandlers(),
      logger,
    });
    servers.push(server);
    await server.start();
    const answer = await client.hello(instanceId, DEADLINE);
    expect(answer.bootNonce.equals(server.bootNonce)).toBe(true);
    expect(answer).toMatchObject({ sequence: 0n, keyVersion: 1 });
    expect(answer.kcv).toMatch(/^[0-9a-f]{12}$/);
  });

  test('a guest that is behind its stored sequence takes a new boot nonce before it answers', async () => {
    const { instanceId, server } = await startGuest(2);
    const before = server.bootNonce;
    table.change(instanceId, { sequence: 7n });
    const answer = await client.hello(instanceId, DEADLINE);
    expect(answer.bootNonce.equals(before)).toBe(false);
    expect(answer.bootNonce.equals(server.bootNonce)).toBe(true);
  });

  test("a guest's error comes back with code, message, retry flag and details, and without its cause", async () => {
    const { instanceId } = await startGuest(2, {
      restart: async () => {
        throw new TroveError('DATABASE_NOT_FOUND', 'No such database.', {
          retryable: true,
          details: { name: 'a`b' },
          cause: new Error('/var/lib/private'),
        });
      },
      pre_upgrade: async () => {
        throw new Error('a password in a stack');
      },
    });
    const known = await client.call(instanceId, 'restart', {}, DEADLINE).catch((error: unknown) => error);
    expect(known).toMatchObject({
      code: 'DATABASE_NOT_FOUND',
      message: 'No such database.',
      retryable: true,
      details: { name: 'a`b' },
    });
    expect(known).not.toHaveProperty('cause');
    await expect(client.call(instanceId, 'pre_upgrade', {}, DEADLINE)).rejects.toMatchObject({
      code: 'INTERNAL',
      message: 'An internal error occurred.',
    });
  });

  test('a silent guest is a time-out in the words of Trove', async () => {
    const { promise, resolve } = Promise.withResolvers<null>();
    const { instanceId } = await startGuest(2, { restart: () => promise });
    await expect(client.call(instanceId, 'restart', {}, { deadlineMs: 100 })).rejects.toMatchObject({
      code: 'GUEST_TIMEOUT',
      message: 'Timeout trying to connect to the Guest Agent.',
    });
    resolve(null);
  });

  test('an aborted call rejects with the reason of the signal', async () => {
    const { promise, resolve } = Promise.withResolvers<null>();
    const { instanceId } = await startGuest(2, { restart: () => promise });
    const abort = new AbortController();
    const why = new Error('the tenant hung up');
    setTimeout(() => abort.abort(why), 50);
    await expect(client.call(instanceId, 'restart', {}, { ...DEADLINE, signal: abort.signal })).rejects.toBe(why);
    resolve(null);
  });

  test('a stale boot nonce is answered, and the call sealed anew once under what the catalog says then', async () => {
    let calls = 0;
    const { instanceId } = await startGuest(2, {
      restart: async () => {
        calls += 1;
        if (calls === 1) throw new TroveError('STALE_BOOT', 'another boot');
        return null;
      },
    });
    expect(await client.call(instanceId, 'restart', {}, DEADLINE)).toBeNull();
    expect(calls).toBe(2);
  });

  test('while only the pending key is accepted, only its steps get through', async () => {
    const { instanceId } = await startGuest(2);
    const peer = table.peers.get(instanceId);
    const keys = (peer?.keys ?? []).flatMap((key) => [
      { ...key, version: 9 },
      { ...key, state: 'pending' as const },
    ]);
    table.change(instanceId, { pendingOnly: true, keys });
    const busy = { code: 'UNPROCESSABLE', retryable: true };
    await expect(client.call(instanceId, 'list_databases', PAGE, DEADLINE)).rejects.toMatchObject(busy);
    // The guest would not answer under the active key; whoever has its old server would.
    await expect(client.hello(instanceId, { deadlineMs: 200 })).rejects.toMatchObject(busy);
    const options = { ...DEADLINE, keyVersion: 1 };
    await expect(client.hello(instanceId, options)).resolves.toMatchObject({ keyVersion: 1 });
    expect(await client.call(instanceId, 'list_databases', PAGE, options)).toEqual([[{ _name: 'foo20' }], null]);
  });

  test('a guest in clear is called, cast to and refuses as one of Trove would', async () => {
    const made: unknown[] = [];
    const { instanceId } = await startGuest(0, {
      create_database: async (args) => {
        made.push(args.databases);
        return null;
      },
      restart: async () => {
        throw new TroveError('DATABASE_NOT_FOUND', 'No such database.');
      },
    });
    expect(await client.call(instanceId, 'list_databases', PAGE, DEADLINE)).toEqual([[{ _name: 'foo20' }], null]);
    const databases = [{ _name: 'bär' }];
    expect(await client.call(instanceId, 'create_database', { databases }, DEADLINE)).toBeNull();
    await expect(client.call(instanceId, 'restart', {}, DEADLINE)).rejects.toMatchObject({
      code: 'DATABASE_NOT_FOUND',
      message: 'No such database.',
    });
    expect(made).toEqual([databases]);
    await expect(client.hello(instanceId, DEADLINE)).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  test('a call to a guest that has no queue fails at once', async () => {
    const { instanceId } = table.add(2, { bootNonce: Buffer.alloc(16, 1) });
    await client.declareGuest(table.add(2).instanceId, 2);
    await expect(client.call(instanceId, 'restart', {}, { deadlineMs: 60_000 })).rejects.toMatchObject({
      code: 'GUEST_TIMEOUT',
    });
    await expect(client.call('6f9619ff-8b86-4011-b42d-00c04fc964ff', 'restart', {}, DEADLINE)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('calls work again after the connection was cut, on a reply queue of a new name', async () => {
    const { instanceId } = await startGuest(2);
    await broker.cut();
    await expect
      .poll(() => client.call(instanceId, 'list_databases', PAGE, { deadlineMs: 500 }).catch(() => 'not yet'), {
        timeout: 8000,
      })
      .toEqual([[{ _name: 'foo20' }], null]);
  });

  test('a deleted guest hears nothing any more', async () => {
    const { instanceId } = await startGuest(2);
    await client.deleteGuest(instanceId);
    await client.deleteGuest(instanceId);
    await expect(client.call(instanceId, 'restart', {}, { deadlineMs: 500 })).rejects.toMatchObject({
      code: 'GUEST_TIMEOUT',
    });
  });

  test('arguments that do not fit the contract are refused by the guest and counted', async () => {
    const { reasons, onRefused } = refusals();
    const { instanceId, instanceKey } = table.add(2);
    await client.declareGuest(instanceId, 2);
    const server = createGuestServer({
      bus,
      instanceId,
      keys: firstKey(instanceKey),
      controlExchange: CONTROL_EXCHANGE,
      handlers: guestHandlers(),
      logger,
      onRefused,
    });
    servers.push(server);
    await server.start();
    await greet(client, table, instanceId);
    const unfit = { ...PAGE, surprise: 1 };
    await expect(client.call(instanceId, 'list_databases', unfit, { deadlineMs: 300 })).rejects.toMatchObject({
      code: 'GUEST_TIMEOUT',
    });
    expect(reasons).toEqual(['arguments']);
  });
});
