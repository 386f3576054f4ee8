import { type Api, type ApiConfig, buildApi, settingsOf } from '@trove/api';
import { type Catalog, createCatalogClock } from '@trove/catalog';
import {
  checkPublishedKeys,
  createMetrics,
  type HealthCheck,
  type Logger,
  loadTlsServer,
  type Metrics,
  Secret,
} from '@trove/common';
import type { ComputeDriver } from '@trove/compute';
import { buildConductor, type Conductor, type ConductorConfig } from '@trove/conductor';
import { createRefusalAudit, createTaskmanagerClient, type MemoryBroker } from '@trove/crypto-rpc';
import { loadStaticTokens } from '@trove/identity';
import {
  buildTaskmanager,
  memoryBrokerAccounts,
  readDeploymentId,
  type Taskmanager,
  type TaskmanagerConfig,
} from '@trove/taskmanager';

export interface ControlPlaneConfig {
  readonly api: ApiConfig;
  readonly taskmanager: TaskmanagerConfig;
  readonly conductor: ConductorConfig;
}

/** What goes on while a control plane is stopped; whoever opened it closes it. */
export interface Ground {
  readonly catalog: Catalog;
  readonly broker: MemoryBroker;
  readonly compute: ComputeDriver;
  readonly logger: Logger;
  /** One for all three; default: one that nobody reads. */
  readonly metrics?: Metrics;
}

export interface ControlPlane {
  /** `http://127.0.0.1:8779` */
  readonly address: string;
  /** The api's, which asks all that there is. */
  readonly health: HealthCheck;
  /** Takes no more, ends what runs, closes; in this order api, taskmanager, conductor. */
  close(): Promise<void>;
}

/** The URL that a guest's file has where the bus is in this process. */
export const MEMORY_URL = 'memory://';

/** api, taskmanager and conductor in this process, each with connections of its own to the bus in memory. */
export async function startControlPlane(config: ControlPlaneConfig, ground: Ground): Promise<ControlPlane> {
  for (const part of [config.api, config.taskmanager, config.conductor]) checkPublishedKeys(part.DEFAULT);
  const opened: { close(): Promise<void> }[] = [];
  try {
    const conductor = await startConductor(config.conductor, ground, opened);
    opened.push(conductor);
    const taskmanager = await startTaskmanager(config.taskmanager, ground, opened);
    opened.push(taskmanager);
    const api = await startApi(config.api, ground, opened);
    opened.push(api);
    const { bind_host: host, bind_port: port } = config.api.DEFAULT;
    return { address: await api.listen({ host, port }), health: api.health, close: () => closeAll(opened) };
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

type Opened = { close(): Promise<void> }[];

async function closeAll(opened: Opened): Promise<void> {
  for (let part = opened.pop(); part !== undefined; part = opened.pop()) await part.close();
}

function openBus(ground: Ground, user: string, opened: Opened) {
  const bus = ground.broker.bus({ user });
  opened.push(bus);
  return bus;
}

async function startConductor(config: ConductorConfig, ground: Ground, opened: Opened): Promise<Conductor> {
  const bus = openBus(ground, 'conductor', opened);
  const { inst_rpc_key_encr_key: instance, inst_rpc_uplink_encr_key: uplink } = config.DEFAULT;
  const conductor = buildConductor({
    catalog: ground.catalog,
    sealedBus: bus,
    legacyBus: bus,
    keyRings: { instance, uplink },
    settings: config.DEFAULT,
    logger: ground.logger.child({ part: 'conductor' }),
    ...metricsOf(ground),
  });
  await conductor.start();
  return conductor;
}

async function startTaskmanager(config: TaskmanagerConfig, ground: Ground, opened: Opened): Promise<Taskmanager> {
  const bus = openBus(ground, 'taskmanager', opened);
  const accounts = memoryBrokerAccounts(ground.broker, () => readDeploymentId(ground.catalog));
  opened.push(accounts);
  const { DEFAULT: settings } = config;
  const taskmanager = buildTaskmanager({
    catalog: ground.catalog,
    sealedBus: bus,
    legacyBus: bus,
    controlKeys: { ring: settings.taskmanager_rpc_encr_key },
    keyRings: {
      instance: settings.inst_rpc_key_encr_key,
      uplink: settings.inst_rpc_uplink_encr_key,
      format: settings.at_rest_format,
    },
    compute: ground.compute,
    accounts,
    settings,
    reconcile: settings,
    guestTransport: { clear: new Secret(MEMORY_URL), sealed: new Secret(MEMORY_URL) },
    logger: ground.logger.child({ part: 'taskmanager' }),
    ...metricsOf(ground),
  });
  await taskmanager.start();
  return taskmanager;
}

async function startApi(config: ApiConfig, ground: Ground, opened: Opened): Promise<Api> {
  const bus = openBus(ground, 'api', opened);
  const logger = ground.logger.child({ part: 'api' });
  const {
    taskmanager_rpc_encr_key: ring,
    control_exchange: controlExchange,
    taskmanager_queue: taskmanagerQueue,
  } = config.DEFAULT;
  const clock = createCatalogClock(ground.catalog, { logger });
  await clock.start();
  opened.push({ close: async () => clock.stop() });
  const taskmanager = createTaskmanagerClient({
    bus,
    clock,
    controlKeys: { ring },
    controlExchange,
    taskmanagerQueue,
    logger,
    onRefused: createRefusalAudit(logger, ground.metrics ?? createMetrics()),
  });
  opened.push(taskmanager);
  return buildApi({
    settings: settingsOf(config),
    catalog: ground.catalog,
    identity: await loadStaticTokens(config.static_auth.tokens_file ?? '', logger),
    compute: ground.compute,
    taskmanager,
    bus,
    controlRing: ring,
    logger,
    ...metricsOf(ground),
    tls: loadTlsServer(config.ssl),
  });
}

function metricsOf({ metrics }: Ground): Pick<Ground, 'metrics'> {
  return metrics === undefined ? {} : { metrics };
}
