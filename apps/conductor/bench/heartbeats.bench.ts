import {
  activateKey,
  type Catalog,
  openCatalog,
  recordHello,
  storePendingKey,
  syncCatalog,
  withTransaction,
} from '@trove/catalog';
import { newUuid, randomText, Secret, silentLogger } from '@trove/common';
import {
  type Bus,
  createAmqpBus,
  createGuestServer,
  type GuestHandlers,
  type GuestServer,
  heldInMemory,
  keyCheckValue,
  uplinkKey,
} from '@trove/crypto-rpc';
import { testBroker, testDatabase } from '@trove/testkit';
import { type Measurement, measure } from '@trove/testkit/bench';
import { buildConductor } from '../src/index.ts';

const REPORTS = 60_000;
const ROUNDS = 3;
const KEY_RINGS = { instance: [new Secret('key-encryption-key-of-the-benchmark')], uplink: [] };

/**
 * Heartbeats that one conductor drains from queues on which they wait already, until each instance's last sequence stands in
 * the catalog. The baseline is 100 guests; the other has 1,000.
 */
export async function benchHeartbeats(): Promise<Measurement[]> {
  return [
    await measure({
      name: 'heartbeats drained by one conductor',
      conditions: `${REPORTS} sealed reports waiting on 16 queues, one session per guest, MariaDB, quorum and classic queues on one node`,
      rounds: ROUNDS,
      contenders: [100, 1000].map((guests) => ({ name: `${guests} guests`, run: () => drain(guests) })),
    }),
  ];
}

async function drain(guestCount: number): Promise<Record<string, number>> {
  const [broker, database] = await Promise.all([testBroker(), testDatabase()]);
  const catalog = openCatalog({ connection: database.url, poolSize: 4 });
  const bus = await createAmqpBus({
    transportUrl: new Secret(broker.url),
    connectionName: 'bench',
    logger: silentLogger,
    waitConnected: true,
  });
  try {
    await syncCatalog(catalog.knex, {});
    const settings = {
      control_exchange: 'trove',
      conductor_queue: 'trove-conductor',
      host: 'bench',
      allow_plaintext: true,
    };
    const newConductor = () =>
      buildConductor({ catalog, sealedBus: bus, legacyBus: bus, keyRings: KEY_RINGS, settings, logger: silentLogger });
    // Started and closed once, so that the queues are there for the reports to wait on.
    const maker = newConductor();
    await maker.start();
    await maker.close();
    const guests = await makeGuests(catalog, bus, guestCount);
    const each = REPORTS / guestCount;
    await preload(guests, each);

    const conductor = newConductor();
    const cpuBefore = process.cpuUsage();
    const start = performance.now();
    await conductor.start();
    await lastSequencesStored(catalog, guestCount, each);
    const seconds = (performance.now() - start) / 1000;
    const cpu = process.cpuUsage(cpuBefore);
    await conductor.close();
    return { 'heartbeats/s': REPORTS / seconds, 'CPU µs each': (cpu.user + cpu.system) / REPORTS };
  } finally {
    await bus.close();
    await catalog.close();
    await database.dispose();
    await broker.dispose();
  }
}

interface Guest {
  readonly instanceId: string;
  readonly server: GuestServer;
}

async function makeGuests(catalog: Catalog, bus: Bus, count: number): Promise<Guest[]> {
  const guests: Guest[] = [];
  for (let i = 0; i < count; i += 1) {
    const instanceId = newUuid();
    const instanceKey = new Secret(randomText(32));
    const server = createGuestServer({
      bus,
      instanceId,
      keys: heldInMemory({ version: 1, text: instanceKey }),
      controlExchange: 'trove',
      handlers: NO_HANDLERS,
      logger: silentLogger,
    });
    await withTransaction(catalog, async (tx) => {
      await tx('instances').insert({
        id: instanceId,
        name: `guest${i}`,
        tenant_id: 'bench',
        deleted: 0,
        rpc_policy: 0,
        fence: 1,
      });
      await tx('service_statuses').insert({
        id: newUuid(),
        instance_id: instanceId,
        status_id: 23,
        status_description: 'new',
      });
      const key = { instanceId, version: 1, fence: 1n };
      const kcv = keyCheckValue(instanceKey.reveal());
      await storePendingKey(tx, KEY_RINGS, {
        ...key,
        instanceKey,
        uplinkKey: new Secret(uplinkKey(instanceKey.reveal())),
        kcv,
      });
      await activateKey(tx, KEY_RINGS, key);
      const bootNonce = server.bootNonce.toString('hex');
      await recordHello(tx, { instanceId, expectedNonce: null, bootNonce, sequence: 0n, keyVersion: 1 });
    });
    guests.push({ instanceId, server });
  }
  return guests;
}

async function preload(guests: readonly Guest[], each: number): Promise<void> {
  for (let i = 0; i < each; i += 1) {
    await Promise.all(
      guests.map(({ instanceId, server }) =>
        server.report('heartbeat', {
          instance_id: instanceId,
          payload: { service_status: 'healthy', volume_used: i / 100, volume_total: 3 },
        }),
      ),
    );
  }
}

async function lastSequencesStored(catalog: Catalog, guests: number, last: number): Promise<void> {
  for (;;) {
    const [row] = await catalog.knex('instance_reports').where('sequence', '>=', last).count({ n: '*' });
    if (Number(row?.['n']) === guests) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const refused = async (): Promise<never> => {
  throw new Error('not part of the benchmark');
};

const NO_HANDLERS: GuestHandlers = {
  rpc_ping: refused,
  prepare: refused,
  get_outcome: refused,
  get_filesystem_stats: refused,
  create_database: refused,
  delete_database: refused,
  list_databases: refused,
  create_user: refused,
  list_users: refused,
  restart: refused,
  pre_upgrade: refused,
  post_upgrade: refused,
};
