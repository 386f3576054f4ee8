import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, Secret, silentLogger } from '@trove/common';
import { createAmqpBus } from '@trove/crypto-rpc';
import { detachedAgents, openLocalCompute, taskmanagerOptions } from '@trove/taskmanager';
import { freePort, provideServers, testBroker, testDatabase } from '@trove/testkit';
import { lookAtCatalog } from '../looks/catalog_look.ts';
import { openFirehose } from '../looks/firehose.ts';
import { APPS } from './apps.ts';
import { writeDeployment } from './deployment.ts';
import { placeLegacyGuest } from './legacy_guest.ts';
import { describe, imageOf, type MachineRuntime, removeAll } from './memory_runtime.ts';
import { datastoreAtHand, OLD_VERSION_ID } from './old_rows.ts';
import { onThisMachine } from './on_this_machine.ts';
import { type ServiceProcess, startService } from './service_process.ts';

const OLD_CATALOG = join(APPS, '..', 'migrations', 'test_data', 'trove_catalog_40.sql');

/** The services in the order in which they start; they stop in the other one. */
const SERVICES = [
  { app: 'conductor', file: 'trove-conductor.conf' },
  { app: 'taskmanager', file: 'trove-taskmanager.conf' },
  { app: 'api', file: 'trove.conf' },
] as const;

/** RabbitMQ, MariaDB, and each service and agent a process of its own. */
export async function openRealRuntime(say: (text: string) => void): Promise<MachineRuntime> {
  const servers = await provideServers(process.env, (line) => say(`${line}\n`));
  const broker = await testBroker({ ...servers.urls });
  const database = await testDatabase({ ...servers.urls });
  const folder = mkdtempSync(join(tmpdir(), 'trove-demo-'));
  const transportUrl = broker.url.replace(/^amqp:/, 'rabbit:');
  const apiPort = await freePort();
  const managers = ['mariadb', 'mysql', 'postgresql'];
  const settings = {
    ...{ folder, apiPort, transportUrl },
    connection: database.url,
    brokerManagementUrl: broker.managementUrl,
  };
  const deployment = writeDeployment({ ...settings, defaultDatastore: '' });
  const config = loadConfig({
    files: [deployment.configPath('trove-taskmanager.conf')],
    env: {},
    options: taskmanagerOptions,
    service: 'demo',
  });
  const { compute, housing } = openLocalCompute(config, detachedAgents, silentLogger);
  const image = imageOf(await compute.images(), ...managers);
  const { manager } = image;
  const atHand = { datastore: manager, version: image.version, versionId: OLD_VERSION_ID };
  writeDeployment({ ...settings, defaultDatastore: manager });
  const catalog = lookAtCatalog(database.url);
  const bus = await createAmqpBus({
    transportUrl: new Secret(transportUrl),
    connectionName: 'demo',
    logger: silentLogger,
    waitConnected: true,
    timeoutMs: 10_000,
  });
  const tap = await openFirehose(broker.url, broker.managementUrl, broker.vhost);
  const running: ServiceProcess[] = [];
  const stop = async () => {
    for (let service = running.pop(); service !== undefined; service = running.pop()) await service.stop();
  };
  return {
    description: describe(
      `RabbitMQ, MariaDB, a process per service and agent; ${manager} ${image.version}`,
      folder,
      housing,
    ),
    instancesRoot: housing.root,
    deployment,
    ...onThisMachine(deployment, housing.root),
    atHand,
    manager,
    catalog,
    makeOldCatalog: () =>
      catalog.run([readFileSync(OLD_CATALOG, 'utf8'), ...datastoreAtHand({ ...atHand, manager, imageId: image.id })]),
    placeLegacyGuest: (name) =>
      placeLegacyGuest({ compute, catalog, bus, transportUrl, atHand, manager, imageId: image.id }, name),
    async start() {
      for (const { app, file } of SERVICES) {
        const script = join(APPS, app, 'bin', `trove-${app}.js`);
        running.push(await startService(script, deployment.configPath(file), join(folder, `trove-${app}.log`)));
      }
      return running.map(({ ready }) => `${ready}\n`).join('');
    },
    stop,
    tapped: () => tap.messages(),
    async close({ keepFiles = false } = {}) {
      await stop();
      await compute.close({ stopServers: true });
      await tap.close();
      await bus.close();
      await broker.dispose();
      await database.dispose();
      await servers.stop();
      if (!keepFiles) removeAll(folder, housing);
    },
  };
}
