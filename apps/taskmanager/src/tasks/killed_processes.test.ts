import { join } from 'node:path';
import { createKeyStore, dbNow, insertInstance, type KeyRings, type TaskRow, withTransaction } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { newUuid, Secret, silentLogger, TroveError } from '@trove/common';
import {
  type Bus,
  createAmqpBus,
  createGuestClient,
  createGuestServer,
  type GuestServer,
  heldInMemory,
} from '@trove/crypto-rpc';
import { fileTask } from '@trove/tasks';
import { freePort, type ServiceProgram, startServiceProgram, testBroker } from '@trove/testkit';
import { expect, test, vi } from 'vitest';
import { createGuestKeys } from '../guests/guest_keys.ts';

const PROJECT = 'b'.repeat(32);
const LEASE_MICROSECONDS = 30_000_000;
const RINGS: KeyRings = { instance: [new Secret('kek-of-a-test')], uplink: [] };

const notAskedHere = async (): Promise<never> => {
  throw new TroveError('GUEST_ERROR', 'Not asked in this test.');
};

/** A guest whose restart lasts until it is let go; it does it once for one idempotency key, as the agent does. */
interface SlowGuest {
  readonly server: GuestServer;
  /** The idempotency key of each request that it got; null in clear. */
  readonly requests: (string | null)[];
  /** How often it has begun to restart. */
  restarts(): number;
  letGo(): void;
}

async function startSlowGuest(bus: Bus, instanceId: string, key: Secret | undefined): Promise<SlowGuest> {
  const requests: (string | null)[] = [];
  const underWay = new Map<string, Promise<void>>();
  const gate = Promise.withResolvers<void>();
  let restarts = 0;
  const begin = (): Promise<void> => {
    restarts += 1;
    return gate.promise;
  };
  const server = createGuestServer({
    bus,
    instanceId,
    controlExchange: 'trove',
    logger: silentLogger,
    ...(key !== undefined && { keys: heldInMemory({ version: 1, text: key }) }),
    handlers: {
      rpc_ping: async () => true,
      restart: async (_args, { idempotencyKey }) => {
        requests.push(idempotencyKey);
        const once = idempotencyKey ?? newUuid();
        const done = underWay.get(once) ?? begin();
        underWay.set(once, done);
        await done;
        return null;
      },
      prepare: notAskedHere,
      get_outcome: notAskedHere,
      get_filesystem_stats: notAskedHere,
      create_database: notAskedHere,
      delete_database: notAskedHere,
      list_databases: notAskedHere,
      create_user: notAskedHere,
      list_users: notAskedHere,
      pre_upgrade: notAskedHere,
      post_upgrade: notAskedHere,
    },
  });
  await server.start();
  return { server, requests, restarts: () => restarts, letGo: () => gate.resolve() };
}

async function newInstance(catalog: TestCatalog): Promise<string> {
  const id = newUuid();
  const row = { name: 'one', tenant_id: PROJECT, flavor_id: '1', volume_size: 1, region_id: null, access: null };
  await withTransaction(catalog, (tx) => insertInstance(tx, { id, ...row, datastore_version_id: null }));
  return id;
}

function fileRestart(catalog: TestCatalog, instanceId: string): Promise<string> {
  const task = { kind: 'restart_instance', instanceId, projectId: PROJECT, params: {} };
  return withTransaction(catalog, async (tx) => {
    const filed = await fileTask(tx, { ...task, deadlineMs: 600_000, codeVersion: 1 });
    return filed.taskId;
  });
}

async function taskOf({ knex }: TestCatalog, id: string): Promise<TaskRow & { left: string | null }> {
  const left = knex.raw('lease_until - ? AS ??', [dbNow(knex), 'left']);
  return await knex('tasks').where({ id }).first('*', left);
}

test('a taskmanager killed while guests restart is followed by one that asks a sealed guest by its key, and one in clear not again', async () => {
  const [broker, catalog, port] = await Promise.all([testBroker(), testCatalog('mysql'), freePort()]);
  const bus = await createAmqpBus({
    transportUrl: new Secret(broker.url),
    connectionName: 'slow guests',
    logger: silentLogger,
  });
  const start = (): ServiceProgram =>
    startServiceProgram(
      join(import.meta.dirname, '../../bin/trove-taskmanager.js'),
      [
        `[DEFAULT]\ntransport_url = ${broker.url}\nhealth_port = ${port}`,
        'taskmanager_rpc_encr_key = k1-of-a-test\ninst_rpc_key_encr_key = kek-of-a-test',
        `[database]\nconnection = ${catalog.connection}\n[compute_local]\nroot = $folder/instances\nuser = nobody`,
      ].join('\n'),
    );
  const [sealedId, clearId] = [await newInstance(catalog), await newInstance(catalog)];
  const keyStore = createKeyStore(catalog, RINGS, { role: 'taskmanager' });
  const keys = createGuestKeys({ catalog, rings: RINGS, keyStore });
  await withTransaction(catalog, (tx) => keys.makeFirst(tx, { instanceId: sealedId, fence: 0n }));
  // As it is once the guest has agreed on it.
  await catalog.knex('instance_keys').where({ instance_id: sealedId }).update({ bootstrap_until: null });
  const { text } = await keys.textOf(sealedId, 'active');
  const guests = createGuestClient({
    ...{ sealedBus: bus, legacyBus: bus, keyStore, controlExchange: 'trove', logger: silentLogger },
  });
  await guests.declareGuest(sealedId, 2);
  const sealed = await startSlowGuest(bus, sealedId, text);
  const clear = await startSlowGuest(bus, clearId, undefined);
  const programs = [start()];
  try {
    const tasks = [await fileRestart(catalog, sealedId), await fileRestart(catalog, clearId)];
    await vi.waitFor(() => expect([sealed.restarts(), clear.restarts()]).toEqual([1, 1]), { timeout: 60_000 });
    for (const id of tasks) {
      const { left } = await taskOf(catalog, id);
      expect(Number(left ?? 0), 'no longer than one lease').toBeLessThanOrEqual(LEASE_MICROSECONDS);
    }
    programs.push(start());
    await programs[0]?.kill();
    const asked = sealed.requests.length;
    await vi.waitFor(
      async () => {
        expect(sealed.requests.length).toBeGreaterThan(asked);
        expect((await taskOf(catalog, tasks[1] ?? '')).state).toBe('waiting');
      },
      { timeout: 90_000, interval: 200 },
    );
    sealed.letGo();
    await catalog
      .knex('service_statuses')
      .whereIn('instance_id', [sealedId, clearId])
      .update({ status_id: 33, status_description: 'healthy' });
    const reports = catalog.knex('instance_reports');
    await reports
      .insert({ instance_id: clearId, received_at: dbNow(catalog.knex) })
      .onConflict('instance_id')
      .merge();
    await vi.waitFor(
      async () => {
        for (const id of tasks) expect(await taskOf(catalog, id)).toMatchObject({ state: 'done', error: null });
      },
      { timeout: 60_000, interval: 200 },
    );
    expect([sealed.restarts(), clear.restarts(), clear.requests.length]).toEqual([1, 1, 1]);
    expect(new Set(sealed.requests).size).toBe(1);
  } finally {
    for (const guest of [sealed, clear]) guest.letGo();
    await Promise.all([...programs.map((program) => program.kill()), sealed.server.close(), clear.server.close()]);
    await guests.close();
    await bus.close();
    await Promise.all([broker.dispose(), catalog.dispose()]);
  }
}, 240_000);
