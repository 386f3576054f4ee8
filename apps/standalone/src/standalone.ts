import { rmSync } from 'node:fs';
import { apiOptions } from '@trove/api';
import { openCatalog, syncCatalog } from '@trove/catalog';
import {
  type ConfigOf,
  defineOptions,
  type HealthCheck,
  type Logger,
  type Metrics,
  TroveError,
  writeFileDurably,
} from '@trove/common';
import { conductorOptions } from '@trove/conductor';
import { createMemoryBroker } from '@trove/crypto-rpc';
import { openLocalCompute, taskmanagerOptions } from '@trove/taskmanager';
import { type ControlPlane, startControlPlane } from './embedded/control_plane.ts';
import { createInProcessAgents } from './embedded/in_process_agents.ts';
import { redeclareGuests } from './embedded/redeclare_guests.ts';
import type { Home } from './home/home.ts';
import { registerDatastores } from './register_datastores.ts';

/** What a standalone control plane reads: the options of the services that it holds. */
export const standaloneOptions = defineOptions([...apiOptions, ...taskmanagerOptions, ...conductorOptions]);

export type StandaloneConfig = ConfigOf<typeof standaloneOptions>;

export interface StandaloneDeps {
  readonly home: Home;
  readonly config: StandaloneConfig;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  /** Lines for the operator. */
  readonly say: (line: string) => void;
}

export interface Standalone {
  readonly address: string;
  readonly health: HealthCheck;
  /** Takes no more, ends what runs, then stops agents and databases. */
  close(): Promise<void>;
}

/** Everything in this process: takes up what the last one left, running tasks and databases too. */
export async function startStandalone({ home, config, logger, metrics, say }: StandaloneDeps): Promise<Standalone> {
  if (config.DEFAULT.compute_driver !== 'local')
    throw new TroveError(
      'CONFIG_INVALID',
      '[DEFAULT] compute_driver: standalone has its servers on this machine, local.',
    );
  const connection = sqliteConnection(config);
  const catalog = openCatalog({ connection });
  await syncCatalog(catalog.knex);
  const broker = createMemoryBroker({ logger });
  const { compute, housing } = openLocalCompute(config, () => createInProcessAgents(broker), logger);
  say([`trove-standalone starts, state in ${home.folder}`, ...housing.notices].join('; '));
  const images = await compute.images();
  if (images.length === 0) {
    throw new TroveError(
      'CONFIG_INVALID',
      'no database server was found: run `npm ci` again, or install MariaDB or PostgreSQL.',
    );
  }
  await registerDatastores(catalog, images);
  const { control_exchange: controlExchange, inst_rpc_key_encr_key: instance } = config.DEFAULT;
  await redeclareGuests(catalog, compute, broker, { controlExchange, rings: { instance, uplink: [] } });
  const plane = await startPlane(config, images[0]?.manager, {
    ...{ catalog, broker, compute, logger },
    ...(metrics === undefined ? {} : { metrics }),
  });
  await compute.adoptAll();
  writeFileDurably(home.endpointFile, `${plane.address}\n`, { mode: 0o644 });

  say(`  API         ${plane.address}, users in ${home.tokensFile}`);
  say(`  catalog     ${connection}`);
  say('  bus         in memory, sealed as on RabbitMQ');
  const onPorts = await compute.managersOnLoopbackPorts();
  const addresses = [
    `addresses of ${config.compute_local.network}`,
    ...onPorts.map((manager) => `${manager} on ports of 127.0.0.1`),
  ];
  say(`  compute     processes of this machine, in ${housing.root}, ${addresses.join(', ')}`);
  say(`  datastores  ${images.map(({ manager, version }) => `${manager} ${version}`).join(', ')}`);
  return {
    address: plane.address,
    health: plane.health,
    async close() {
      await plane.close();
      await compute.close({ stopServers: true });
      await catalog.close();
      rmSync(home.endpointFile, { force: true });
    },
  };
}

function startPlane(
  config: StandaloneConfig,
  firstDatastore: string | undefined,
  ground: Parameters<typeof startControlPlane>[1],
): Promise<ControlPlane> {
  const default_datastore = config.DEFAULT.default_datastore ?? firstDatastore;
  const api = { ...config, DEFAULT: { ...config.DEFAULT, default_datastore } };
  return startControlPlane({ api, taskmanager: config, conductor: config }, ground);
}

function sqliteConnection(config: StandaloneConfig): string {
  const connection = config.database.connection?.reveal();
  if (connection?.startsWith('sqlite:')) return connection;
  throw new TroveError(
    'CONFIG_INVALID',
    '[database] connection: trove-standalone keeps its catalog in SQLite, sqlite:///path.',
  );
}
