import {
  type Catalog,
  type InstanceFaultRow,
  type InstanceRow,
  insertInstance,
  type KeyRings,
  reserveQuota,
  sealTaskSecret,
  type TaskRow,
  withTransaction,
} from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { type Clock, createLogger, type Metrics, newUuid, Secret, silentLogger } from '@trove/common';
import type { ComputeDriver } from '@trove/compute';
import {
  type Bus,
  createMemoryBroker,
  createTaskmanagerClient,
  type MemoryBroker,
  type TaskmanagerClient,
} from '@trove/crypto-rpc';
import { fileDelete, fileTask, type JsonObject, type TaskEngineOptions } from '@trove/tasks';
import { type BrokerAccounts, createBrokerAccounts } from '../src/broker/broker_accounts.ts';
import type { BrokerAdmin } from '../src/broker/broker_admin.ts';
import { createMemoryAdmin } from '../src/broker/memory_admin.ts';
import { createGuestKeys, type GuestKeys } from '../src/guests/guest_keys.ts';
import { buildTaskmanager, readDeploymentId, type Taskmanager, type TaskmanagerDeps } from '../src/index.ts';
import { createWorld, FLAVOR, type World } from './world.ts';

const VERSION = 'b81ccb84-4f1d-4a51-a7ad-4f9b7e8f9f10';
const QUOTA = { instances: 1, ram: FLAVOR.ram, volumes: 3 };
const LIMITS = { instances: 1000, ram: -1, volumes: 10_000 };
const LOGGER = process.env['TEST_LOG'] ? createLogger({ service: 'test' }) : silentLogger;
export const CONTROL_RING = [new Secret('k1-of-this-test')];

export const SETTINGS = {
  control_exchange: 'trove',
  report_interval: 1,
  agent_call_low_timeout: 2,
  agent_call_high_timeout: 3,
  conductor_queue: 'trove-conductor',
} as const;
export const GUEST_TRANSPORT = { clear: new Secret('memory://'), sealed: new Secret('memory://') };

export interface House {
  readonly catalog: TestCatalog;
  /** Of this house alone. */
  readonly project: string;
  /** Ring the doorbell, pass calls on: as the api does. */
  readonly api: TaskmanagerClient;
  readonly broker: MemoryBroker;
  readonly bus: Bus;
  /** The broker's administration, whose acts a test may replace. */
  readonly admin: BrokerAdmin;
  /** Of the house's deployment, through `admin`. */
  readonly accounts: BrokerAccounts;
  readonly keys: GuestKeys;
  readonly world: World;
  readonly rings: KeyRings;
  /** Another taskmanager on the same catalog and bus; `own`: each sealed guest gets a broker account. */
  taskmanager(options?: {
    secure?: boolean;
    own?: boolean;
    /** Seconds; default 3. */
    highTimeout?: number;
    faults?: TaskEngineOptions['faults'];
    /** Default: the house's world. */
    compute?: ComputeDriver;
    /** Default: the house's own. */
    catalog?: Catalog;
    /** Default: it never compares the catalog with the world. */
    reconcile?: NonNullable<TaskmanagerDeps['reconcile']>;
    metrics?: Metrics;
    /** Default: the machine's. */
    clock?: Clock;
    /** Default: the house's. */
    keyRings?: KeyRings;
    stop?: () => void;
  }): Promise<Taskmanager>;
  dispose(): Promise<void>;
}

/** A migrated catalog with one datastore version. */
export async function openTestCatalog(dialect: 'mysql' | 'sqlite'): Promise<TestCatalog> {
  const catalog = await testCatalog(dialect);
  await insertVersion(catalog);
  return catalog;
}

/** Bus, compute and project of one test; the catalog is shared and stays open. */
export function openHouse(catalog: TestCatalog): House {
  const broker = createMemoryBroker();
  const bus = broker.bus({ user: 'trove' });
  const admin = createMemoryAdmin(broker);
  const accounts = createBrokerAccounts(admin, () => readDeploymentId(catalog));
  const project = newUuid().replaceAll('-', '');
  const controlKeys = { ring: CONTROL_RING };
  const api = createTaskmanagerClient({ bus, controlKeys, controlExchange: 'trove', logger: LOGGER });
  const world = createWorld({ catalog, broker });
  const rings: KeyRings = { instance: [new Secret('kek-of-this-test')], uplink: [] };
  const keys = createGuestKeys({ catalog, rings, keyStore: { forget: () => undefined } });
  const open: Taskmanager[] = [];
  return {
    ...{ catalog, project, api, broker, bus, admin, accounts, keys, world, rings },
    async taskmanager({ secure = true, own = true, highTimeout, faults, compute = world, ...others } = {}) {
      const taskmanager = buildTaskmanager({
        ...{
          catalog,
          sealedBus: bus,
          legacyBus: bus,
          compute,
          accounts: own ? accounts : undefined,
          keyRings: rings,
          ...others,
          logger: LOGGER,
        },
        controlKeys,
        settings: {
          ...SETTINGS,
          ...(highTimeout !== undefined && { agent_call_high_timeout: highTimeout }),
          host: 'here',
          enable_secure_rpc_messaging: secure,
          taskmanager_queue: 'taskmanager',
        },
        guestTransport: GUEST_TRANSPORT,
        engine: { pollMs: { min: 20, max: 40 }, ...(faults !== undefined && { faults }) },
      });
      await taskmanager.start();
      open.push(taskmanager);
      return taskmanager;
    },
    async dispose() {
      await Promise.all(open.map((taskmanager) => taskmanager.close()));
      await world.close();
      await api.close();
      await accounts.close();
      await bus.close();
    },
  };
}

async function insertVersion({ knex }: TestCatalog): Promise<void> {
  const datastore = newUuid();
  await knex('datastores').insert({ id: datastore, name: 'postgresql' });
  const version = {
    name: '18.4',
    image_id: newUuid(),
    packages: '',
    active: 1,
    manager: 'postgresql',
    version: '18.4',
  };
  await knex('datastore_versions').insert({ id: VERSION, datastore_id: datastore, ...version });
}

const DATASTORE = { datastore_manager: 'postgresql', datastore_version: '18.4', datastore_version_id: VERSION };

/** An instance as the api files it; resolves with its id and its task's. */
export async function fileCreate({ catalog, project }: House): Promise<{ id: string; taskId: string }> {
  const id = newUuid();
  const users = JSON.stringify([{ name: 'u1', host: '%', password: 's3cret', databases: [] }]);
  const params = {
    ...{ flavor: { ...FLAVOR }, image_id: 'image-1', volume_size: 3, databases: [{ name: 'db1' }], nics: [] },
    ...DATASTORE,
  };
  const taskId = await withTransaction(catalog, async (tx) => {
    await reserveQuota(tx, {
      projectId: project,
      instanceId: id,
      amounts: QUOTA,
      defaults: LIMITS,
      ramOf: () => FLAVOR.ram,
    });
    const row = { name: 'm1', tenant_id: project, flavor_id: FLAVOR.id, volume_size: 3, region_id: null, access: null };
    await insertInstance(tx, { id, ...row, datastore_version_id: VERSION });
    const task = {
      kind: 'create_instance',
      instanceId: id,
      projectId: project,
      params,
      deadlineMs: 60_000,
      codeVersion: 1,
    };
    const filed = await fileTask(tx, task);
    const sealed = { ...params, users: sealTaskSecret(CONTROL_RING, filed.taskId, users) };
    await tx('tasks')
      .where({ id: filed.taskId })
      .update({ params: JSON.stringify(sealed) });
    return filed.taskId;
  });
  return { id, taskId };
}

export async function file(house: House, kind: string, instanceId: string, params: JsonObject = {}): Promise<string> {
  const task = { kind, instanceId, projectId: house.project, params, deadlineMs: 60_000, codeVersion: 1 };
  return (
    await withTransaction(house.catalog, (tx) =>
      kind === 'delete_instance' ? fileDelete(tx, task) : fileTask(tx, task),
    )
  ).taskId;
}

export const UPGRADE: JsonObject = {
  ...DATASTORE,
  image_id: 'image-2',
  previous: { datastore_version_id: VERSION, image_id: 'image-1' },
};

export async function ended({ catalog }: House, taskId: string, withinMs = 50_000): Promise<TaskRow> {
  const end = performance.now() + withinMs;
  for (;;) {
    const row = await catalog.knex<TaskRow>('tasks').where({ id: taskId }).first();
    if (row !== undefined && ['done', 'failed', 'cancelled'].includes(row.state)) return row;
    if (performance.now() > end) throw new Error(`task stands at ${row?.state} ${row?.step} ${row?.error}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}

export async function instanceOf({ catalog }: House, id: string): Promise<InstanceRow> {
  const row = await catalog.knex<InstanceRow>('instances').where({ id }).first();
  if (row === undefined) throw new Error('no such instance');
  return row;
}

export async function faultOf({ catalog }: House, id: string): Promise<string | undefined> {
  const row = await catalog
    .knex<InstanceFaultRow>('instance_faults')
    .where({ instance_id: id, deleted: 0 })
    .first('message');
  return row?.message;
}

/** `instances` of the project's books: in use and reserved. */
export async function booksOf({ catalog, project }: House): Promise<[number, number]> {
  const row = await catalog
    .knex('quota_usages')
    .where({ tenant_id: project, resource: 'volumes' })
    .first('in_use', 'reserved');
  return [Number(row?.in_use), Number(row?.reserved)];
}
