import { chmodSync, mkdirSync, mkdtempSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Catalog, openCatalog, syncCatalog } from '@trove/catalog';
import { newUuid, randomText } from '@trove/common';
import { localChoices } from '@trove/compute';
import {
  type BreakableBroker,
  breakableBroker,
  type FaultProxy,
  type FollowedDatabase,
  followedDatabase,
  freePort,
  openFaultProxy,
  provideServers,
  type ServerUrls,
  type TestBroker,
  type TestDatabase,
  testBroker,
  testDatabase,
} from '@trove/testkit';
import { APPS } from '../../src/demo/stack/apps.ts';
import { registerDatastores } from '../../src/register_datastores.ts';
import type { TakenBack } from './accounts.ts';
import { findInstallations, inspectFolder } from './inside/light_datastores.ts';
import {
  agentProgram,
  effectsFolder,
  marksFolder,
  NO_TROUBLES,
  type Troubles,
  troublesFile,
} from './inside/run_folder.ts';
import { type KeySetting, Service } from './service.ts';

const KEY_LENGTH = 48;
const ROLES = ['api', 'taskmanager', 'conductor'] as const;
type Role = (typeof ROLES)[number];
const OF_EACH: Readonly<Record<Role, number>> = { api: 2, taskmanager: 3, conductor: 2 };

/** A connection to broker or catalog that can be broken for some and left alone for others. */
export interface Proxies {
  readonly broker: Readonly<Record<Role | 'guests', FaultProxy>>;
  readonly management: FaultProxy;
  readonly catalog: Readonly<Record<Role, FaultProxy>>;
  /** The run's own to the catalog. No fault touches it, but all of them follow the catalog where it goes. */
  readonly own: FaultProxy;
}

/** Everything that a run stands on, and the hands to break it. */
export interface Ground {
  readonly folder: string;
  readonly apiUrls: readonly string[];
  readonly project: string;
  readonly token: string;
  /** As the services' files have them now: the first seals. A fault that changes them changes them here too. */
  readonly keys: Record<KeySetting, readonly string[]>;
  readonly seed: number;
  /** What a fault saw that must not be, beside what is checked at the end. */
  readonly notHeld: string[];
  readonly instancesRoot: string;
  /** The run's own way to catalog and broker, which no fault touches. */
  readonly catalog: Catalog;
  readonly broker: TestBroker;
  readonly database: TestDatabase;
  /** Servers that this run may take away; absent where it shares them with others. */
  readonly own?: { readonly broker: BreakableBroker; readonly database: FollowedDatabase };
  readonly proxies: Proxies;
  readonly services: readonly Service[];
  /** What failovers and restores have taken back up to now. */
  readonly takenBack: TakenBack[];
  servicesOf(role: Role): readonly Service[];
  /** What compute does to its callers, and guests' clocks; members that are not named are as without troubles. */
  trouble(troubles: Partial<Troubles>): void;
  logFiles(): readonly string[];
  /** Ends what was started here but the services and guests, which are ended before. */
  close(): Promise<void>;
}

/** With servers of its own, or on those of the tests. */
export async function layGround(
  { servers, seed }: { servers: 'own' | 'shared'; seed: number },
  say: (line: string) => void,
): Promise<Ground> {
  const { urls, own, stop } = await openServers(servers, say);
  const broker = await testBroker({ ...urls });
  const database = await testDatabase({ ...urls });
  const folder = mkdtempSync(join(tmpdir(), 'trove-chaos-'));
  chmodSync(folder, 0o711);
  for (const name of ['logs', 'instances', 'compiled']) mkdirSync(join(folder, name));
  mkdirSync(effectsFolder(folder));
  mkdirSync(marksFolder(folder));
  const trouble = (troubles: Partial<Troubles>): void => {
    const path = troublesFile(folder);
    // Whole at any moment: it is read while it is written.
    writeFileSync(`${path}.new`, JSON.stringify({ ...NO_TROUBLES, ...troubles }));
    renameSync(`${path}.new`, path);
  };
  trouble({});
  const agent = JSON.stringify(new URL('inside/agent.ts', import.meta.url).href);
  const run = `import { runAgent } from ${agent};\nawait runAgent(${JSON.stringify(folder)}, ${seed});\n`;
  writeFileSync(agentProgram(folder), run);
  const instancesRoot = join(folder, 'instances');
  const proxies = await openProxies(broker, database);
  const catalog = openCatalog({ connection: proxies.own.through(database.url) });
  await syncCatalog(catalog.knex);
  const choices = localChoices({
    root: instancesRoot,
    flavorsFile: join(instancesRoot, 'flavors.json'),
    namedImages: {},
    installations: { find: findInstallations, inspect: inspectFolder },
  });
  await registerDatastores(catalog, await choices.images());
  const settings = {
    ...{ folder, broker, database, proxies, instancesRoot, seed },
    project: newUuid().replaceAll('-', ''),
    token: randomText(KEY_LENGTH),
    keys: {
      taskmanager_rpc_encr_key: [randomText(KEY_LENGTH)],
      inst_rpc_key_encr_key: [randomText(KEY_LENGTH)],
      inst_rpc_uplink_encr_key: [randomText(KEY_LENGTH)],
    },
  };
  writeFileSync(join(folder, 'tokens.json'), tokens(settings), { mode: 0o600 });
  const made = await Promise.all(ROLES.map((role) => makeServices(role, settings)));
  const services = made.flatMap((one) => one.services);
  return {
    ...settings,
    ...{ catalog, services, trouble, notHeld: [], takenBack: [] },
    ...(own !== undefined && { own }),
    apiUrls: made.flatMap((one) => one.urls),
    servicesOf: (role) => services.filter(({ name }) => name.startsWith(role)),
    logFiles: () => services.map(({ name }) => logFile(folder, name)),
    async close() {
      await catalog.close();
      const { management, own: ownProxy } = proxies;
      const all = [...Object.values(proxies.broker), ...Object.values(proxies.catalog), management, ownProxy];
      await Promise.all(all.map((proxy) => proxy.close()));
      await broker.dispose();
      // The run's own server goes whole, and may be another than at the beginning.
      if (own === undefined) await database.dispose();
      await stop();
    },
  };
}

async function openServers(
  servers: 'own' | 'shared',
  say: (line: string) => void,
): Promise<{ urls: ServerUrls; own?: NonNullable<Ground['own']>; stop(): Promise<void> }> {
  if (servers === 'shared') return await provideServers(process.env, say);
  const [broker, database] = await Promise.all([breakableBroker(), followedDatabase()]);
  return {
    urls: { TROVE_TEST_AMQP_URL: broker.url, TROVE_TEST_MYSQL_URL: database.url },
    own: { broker, database },
    async stop() {
      await Promise.all([broker.dispose(), database.dispose()]);
    },
  };
}

type Settings = Pick<
  Ground,
  'folder' | 'broker' | 'database' | 'proxies' | 'instancesRoot' | 'project' | 'token' | 'keys' | 'seed'
>;

async function openProxies(broker: TestBroker, database: TestDatabase): Promise<Proxies> {
  const [api, taskmanager, conductor, guests, management] = await Promise.all([
    ...[broker.url, broker.url, broker.url, broker.url].map((url) => openFaultProxy(url)),
    openFaultProxy(broker.managementUrl),
  ]);
  const [forApi, forTaskmanager, forConductor, own] = await Promise.all(
    [database.url, database.url, database.url, database.url].map((url) => openFaultProxy(url)),
  );
  return {
    broker: { api, taskmanager, conductor, guests } as Proxies['broker'],
    management: management as FaultProxy,
    catalog: { api: forApi, taskmanager: forTaskmanager, conductor: forConductor } as Proxies['catalog'],
    own: own as FaultProxy,
  };
}

function tokens({ token, project }: Settings): string {
  const caller = { user_id: 'chaos', user_name: 'chaos', project_id: project, roles: ['member', 'admin'] };
  return JSON.stringify({ tokens: [{ token, ...caller }] });
}

async function makeServices(role: Role, settings: Settings): Promise<{ services: Service[]; urls: string[] }> {
  const services: Service[] = [];
  const urls: string[] = [];
  for (let number = 1; number <= OF_EACH[role]; number += 1) {
    const name = `${role}-${number}`;
    const port = role === 'api' ? await freePort() : 0;
    const configFile = configFileOf(settings.folder, name);
    writeFileSync(configFile, configText(role, port, settings), { mode: 0o600 });
    services.push(
      new Service({
        ...{ name, configFile, logFile: logFile(settings.folder, name) },
        program: join(APPS, role, 'bin', `trove-${role}.js`),
        preload: new URL('inside/service_preload.ts', import.meta.url).href,
        env: {
          CHAOS_FOLDER: settings.folder,
          CHAOS_SEED: String(settings.seed),
          NODE_COMPILE_CACHE: join(settings.folder, 'compiled'),
        },
      }),
    );
    if (role === 'api') urls.push(`http://127.0.0.1:${port}/v1.0/${settings.project}`);
  }
  return { services, urls };
}

function configFileOf(folder: string, service: string): string {
  return join(folder, `${service}.conf`);
}

function logFile(folder: string, name: string): string {
  return join(folder, 'logs', `${name}.log`);
}

function configText(role: Role, port: number, settings: Settings): string {
  const { broker, database, proxies, folder, instancesRoot } = settings;
  const key = (name: KeySetting): string => `${name} = ${settings.keys[name].join(',')}`;
  const bus = (proxy: FaultProxy): string => proxy.through(broker.url).replace(/^amqp:/, 'rabbit:');
  const ofRole = {
    api: `${key('taskmanager_rpc_encr_key')}
bind_host = 127.0.0.1
bind_port = ${port}
default_datastore = postgresql
max_instances_per_tenant = 10000
max_volumes_per_tenant = 100000
max_ram_per_tenant = -1`,
    taskmanager: `${key('taskmanager_rpc_encr_key')}
${key('inst_rpc_key_encr_key')}
${key('inst_rpc_uplink_encr_key')}
broker_management_url = ${proxies.management.through(broker.managementUrl)}
guest_transport_url = ${bus(proxies.broker.guests)}
agent_call_low_timeout = 5
agent_call_high_timeout = 30
reconcile_interval = 10`,
    conductor: key('inst_rpc_uplink_encr_key'),
  }[role];
  return `[DEFAULT]
transport_url = ${bus(proxies.broker[role])}
control_exchange = trove
host = chaos
report_interval = 2
log_level = info
${ofRole}
[database]
connection = ${proxies.catalog[role].through(database.url)}
[static_auth]
tokens_file = ${join(folder, 'tokens.json')}
[compute_local]
root = ${instancesRoot}
`;
}
