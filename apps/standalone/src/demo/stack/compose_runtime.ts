import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { newUuid, Secret, silentLogger } from '@trove/common';
import { openDockerCompute } from '@trove/compute';
import { createAmqpBus } from '@trove/crypto-rpc';
import { freePort } from '@trove/testkit';
import { LEGACY_VHOST, VHOST } from '../../compose/broker_definitions.ts';
import { type CatalogLook, lookAtCatalog } from '../looks/catalog_look.ts';
import type { AtHand, ConfigFileName } from '../outside.ts';
import { parseList } from '../table_reader.ts';
import { APPS } from './apps.ts';
import { type ComposeProject, composeProject } from './compose/compose_project.ts';
import { openLastingTap } from './compose/lasting_tap.ts';
import { ENGINE_NAME, engineSocket, freeSubnet, openLocalEngine } from './compose/local_engine.ts';
import { type StackContainers, stackContainers } from './compose/stack_containers.ts';
import { placeLegacyGuest } from './legacy_guest.ts';
import { datastoreAtHand, OLD_VERSION_ID } from './old_rows.ts';
import type { OpenRuntime } from './outside_of.ts';

const OLD_CATALOG = join(APPS, '..', 'migrations', 'test_data', 'trove_catalog_40.sql');
const MANAGER = 'mariadb';
const CONTROL_PLANE = ['conductor', 'taskmanager', 'api'] as const;
const FILES: Readonly<Record<ConfigFileName, string>> = {
  'trove.conf': '/stack/api/trove.conf',
  'trove-taskmanager.conf': '/stack/taskmanager/trove-taskmanager.conf',
  'trove-conductor.conf': '/stack/conductor/trove-conductor.conf',
};
const PATIENCE_MS = 120_000;
const POLL_MS = 1000;

export interface ComposeRuntime extends OpenRuntime {
  readonly project: ComposeProject;
  readonly containers: StackContainers;
  /** Waits until each of them is. */
  healthy(services: readonly string[]): Promise<void>;
}

/** docker-compose.yml, as a project of its own beside any other, with containers as instances. */
export async function openComposeRuntime(say: (text: string) => void): Promise<ComposeRuntime> {
  const socket = engineSocket(process.env);
  if (socket === undefined) throw new Error('no Docker engine of this machine: the stack needs its socket');
  const engine = await openLocalEngine(socket);
  const name = `trove-demo-${newUuid().slice(0, 8)}`;
  const [network, subnet] = [`${name}-instances`, await freeSubnet(engine)];
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  const apiPort = await freePort();
  const project = composeProject(name, {
    TROVE_ENGINE_SOCKET: socket,
    TROVE_INSTANCES_NETWORK: network,
    TROVE_INSTANCES_SUBNET: subnet,
    TROVE_PORT: String(apiPort),
    TROVE_RABBITMQ_PORT: String(await freePort()),
    TROVE_REPORT_INTERVAL: '2',
    TROVE_LOG_LEVEL: 'warn',
    // A tag that an operator's instances are made from stays what it is.
    TROVE_IMAGE: 'trove:demo',
    TROVE_GUEST_MARIADB_IMAGE: 'trove-guest-mariadb:demo',
    TROVE_GUEST_POSTGRESQL_IMAGE: 'trove-guest-postgresql:demo',
  });
  const containers = stackContainers(engine, name);
  const healthy = async (services: readonly string[]) => {
    for (const service of services)
      for (let waitedMs = 0; !(await containers.isHealthy(service)); waitedMs += POLL_MS) {
        if (waitedMs >= PATIENCE_MS) throw new Error(`${service} is not healthy within ${PATIENCE_MS / 1000} s`);
        await delay(POLL_MS);
      }
  };
  const closers: (() => Promise<void>)[] = [];
  const close = async ({ keepFiles = false } = {}) => {
    if (keepFiles) writeFileSync(join(folder, 'stack.log'), (await project.run('logs', '--no-color')).stdout);
    for (const closer of closers.toReversed()) await closer();
    await project.must('down', '--volumes', '--timeout', '20');
    await containers.removeInstances(network);
    if (!keepFiles) rmSync(folder, { recursive: true, force: true });
  };
  try {
    say('docker compose build: the first time it takes a few minutes\n');
    await project.must('build');
    say('docker compose up -d rabbitmq mysql network\n');
    await project.must('up', '-d', 'rabbitmq', 'mysql', 'network');
    await healthy(['rabbitmq', 'mysql']);
    const secrets = JSON.parse(await containers.readFile('/stack/secrets/secrets.json')) as Record<string, string>;
    writeFileSync(join(folder, 'tokens.json'), await containers.readFile('/stack/api/tokens.json'), { mode: 0o600 });
    const inCatalog = ['run', '--rm', '--no-deps', '-T', 'catalog'] as const;
    const manage = (argv: readonly string[]) => project.run(...inCatalog, 'trove-manage', ...argv);
    await project.must(...inCatalog, 'trove-stack', 'accounts');
    const catalog = catalogOf(
      async () => `mysql://root:${secrets.databaseRoot}@${await containers.address('mysql')}:3306/trove`,
    );
    const image = parseList((await manage(['image-list'])).stdout).find((row) => row.Manager === MANAGER);
    if (image?.ID === undefined) throw new Error('the stack names no image of MariaDB');
    const [imageId, version] = [image.ID, image.Version ?? ''];
    const atHand: AtHand = { datastore: MANAGER, version, versionId: OLD_VERSION_ID };
    const compute = await openDockerCompute({
      host: { [ENGINE_NAME]: `unix://${socket}` },
      subnet: { [ENGINE_NAME]: subnet },
      ...{ zone: {}, public_address: {}, ports: '', flavors_file: join(folder, 'flavors.json'), network },
      image: { [imageId]: `${MANAGER} ${version} ${image.Name}` },
    });
    const tap = await openLastingTap(async () => {
      const broker = `trove-operator:${secrets.brokerOperator}@${await containers.address('rabbitmq')}`;
      return { amqpUrl: `amqp://${broker}:5672`, managementUrl: `http://${broker}:15672` };
    }, [VHOST, LEGACY_VHOST]);
    closers.push(() => tap.close());
    const stop = async () => {
      await project.must('stop', ...CONTROL_PLANE.toReversed());
    };
    return {
      description: `docker compose, project ${name}, containers as instances in ${subnet}; ${MANAGER} ${version}; logs go to ${folder}`,
      ...{ project, containers, healthy, atHand, catalog, manage, stop, close },
      manager: MANAGER,
      cliEnvironment: { TROVE_URL: `http://127.0.0.1:${apiPort}`, TROVE_HOME: folder },
      makeOldCatalog: () =>
        catalog.run([readFileSync(OLD_CATALOG, 'utf8'), ...datastoreAtHand({ ...atHand, manager: MANAGER, imageId })]),
      async placeLegacyGuest(guest) {
        const login = `rabbit://trove-legacy:${secrets.brokerLegacy}`;
        const bus = await createAmqpBus({
          transportUrl: new Secret(`${login}@${await containers.address('rabbitmq')}:5672/${LEGACY_VHOST}`),
          connectionName: 'demo',
          logger: silentLogger,
        });
        try {
          const transportUrl = `${login}@rabbitmq:5672/${LEGACY_VHOST}`;
          await placeLegacyGuest({ compute, catalog, bus, transportUrl, atHand, manager: MANAGER, imageId }, guest);
        } finally {
          await bus.close();
        }
      },
      readConfig: (file) => containers.readFile(FILES[file]),
      writeConfig: (file, text) => containers.writeFile(FILES[file], text),
      async start() {
        await project.must('up', '-d', ...CONTROL_PLANE);
        await healthy(CONTROL_PLANE);
        return 'docker compose up -d: conductor, taskmanager and api are healthy\n';
      },
      server: (instanceId) => containers.server(instanceId),
      leaveMarkers: (instanceId) => containers.leaveMarkers(instanceId),
      tapped: () => tap.messages(),
    };
  } catch (error) {
    await close({ keepFiles: true });
    throw error;
  }
}

/** The catalog where it is now; a question that it cannot answer while its server is started again is asked once more. */
function catalogOf(url: () => Promise<string>): CatalogLook {
  const ask = async <T>(question: (look: CatalogLook) => Promise<T>): Promise<T> => {
    for (let waitedMs = 0; ; waitedMs += POLL_MS) {
      try {
        return await question(lookAtCatalog(await url()));
      } catch (error) {
        const refused = error instanceof Error && 'sqlMessage' in error;
        if (refused || waitedMs >= PATIENCE_MS) throw error;
        await delay(POLL_MS);
      }
    }
  };
  return {
    select: (sql) => ask((look) => look.select(sql)),
    columns: (table) => ask((look) => look.columns(table)),
    run: (statements) => ask((look) => look.run(statements)),
  };
}
