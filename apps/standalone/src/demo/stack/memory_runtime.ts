import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiOptions } from '@trove/api';
import { openCatalog } from '@trove/catalog';
import { createLogger, loadConfig, type OptionSpec, silentLogger } from '@trove/common';
import type { Housing, Image } from '@trove/compute';
import { conductorOptions } from '@trove/conductor';
import { createMemoryBroker } from '@trove/crypto-rpc';
import { openLocalCompute, taskmanagerOptions } from '@trove/taskmanager';
import { freePort } from '@trove/testkit';
import {
  type ControlPlane,
  type ControlPlaneConfig,
  MEMORY_URL,
  startControlPlane,
} from '../../embedded/control_plane.ts';
import { createInProcessAgents } from '../../embedded/in_process_agents.ts';
import { lookAtCatalog } from '../looks/catalog_look.ts';
import type { TappedMessage } from '../outside.ts';
import { type Deployment, writeDeployment } from './deployment.ts';
import { placeLegacyGuest } from './legacy_guest.ts';
import { datastoreAtHand, OLD_VERSION_ID, oldRows } from './old_rows.ts';
import { onThisMachine, runManage } from './on_this_machine.ts';
import type { OpenRuntime } from './outside_of.ts';

/** A runtime whose files and servers are this machine's. */
export interface MachineRuntime extends OpenRuntime {
  readonly deployment: Deployment;
  readonly instancesRoot: string;
}

export interface RuntimeOptions {
  /** Where its folder is made; default the system's folder for temporary files. */
  readonly under?: string;
}

/** Standalone's parts: bus in memory, SQLite, local compute with agents in this process. */
export async function openMemoryRuntime({ under = tmpdir() }: RuntimeOptions = {}): Promise<MachineRuntime> {
  const folder = mkdtempSync(join(under, 'trove-demo-'));
  const connection = `sqlite:///${join(folder, 'catalog.sqlite')}`;
  const apiPort = await freePort();
  const manager = 'postgresql';
  const deployment = writeDeployment({
    folder,
    apiPort,
    transportUrl: MEMORY_URL,
    connection,
    defaultDatastore: manager,
  });
  const broker = createMemoryBroker();
  const messages: TappedMessage[] = [];
  broker.tap(({ exchange, routingKey, body }) =>
    messages.push({ exchange, routingKey, body: body.toString('base64') }),
  );
  const agents = createInProcessAgents(broker);
  const { compute, housing } = openLocalCompute(readConfig(deployment).taskmanager, () => agents, silentLogger);
  const image = imageOf(await compute.images(), manager);
  const atHand = { datastore: image.manager, version: image.version, versionId: OLD_VERSION_ID };
  const catalog = lookAtCatalog(connection);
  const outsideBus = broker.bus();
  let plane: (ControlPlane & { readonly done: () => Promise<void> }) | undefined;

  const stop = async () => {
    await plane?.close();
    await plane?.done();
    plane = undefined;
  };
  return {
    description: describe(
      `In one process: bus in memory, SQLite, local compute; ${image.manager} ${image.version}`,
      folder,
      housing,
    ),
    instancesRoot: housing.root,
    deployment,
    ...onThisMachine(deployment, housing.root),
    atHand,
    manager,
    catalog,
    async makeOldCatalog() {
      const made = await runManage(deployment, ['db_sync', '--to', '40']);
      if (made.code !== 0) throw new Error(`db_sync --to 40: ${made.stderr}`);
      await catalog.run([...oldRows(), ...datastoreAtHand({ ...atHand, manager, imageId: image.id })]);
    },
    placeLegacyGuest: (name) =>
      placeLegacyGuest(
        { compute, catalog, bus: outsideBus, transportUrl: MEMORY_URL, atHand, manager, imageId: image.id },
        name,
      ),
    async start() {
      const own = openCatalog({ connection });
      const logger = createLogger({ service: 'demo', level: 'error' });
      const started = await startControlPlane(readConfig(deployment), { catalog: own, broker, compute, logger });
      plane = { ...started, done: () => own.close() };
      return `api, taskmanager and conductor are ready, ${started.address}\n`;
    },
    stop,
    tapped: () => messages,
    async close({ keepFiles = false } = {}) {
      await stop();
      await compute.close({ stopServers: true });
      await outsideBus.close();
      if (!keepFiles) removeAll(folder, housing);
    },
  };
}

function readConfig(deployment: Deployment): ControlPlaneConfig {
  const read = <const Specs extends readonly OptionSpec[]>(
    file: 'trove.conf' | 'trove-taskmanager.conf' | 'trove-conductor.conf',
    options: Specs,
  ) => loadConfig({ files: [deployment.configPath(file)], env: {}, options, service: file });
  return {
    api: read('trove.conf', apiOptions),
    taskmanager: read('trove-taskmanager.conf', taskmanagerOptions),
    conductor: read('trove-conductor.conf', conductorOptions),
  };
}

export function describe(parts: string, folder: string, housing: Housing): string {
  return [`${parts}; everything is in ${folder}`, ...housing.notices].join('; ');
}

/** What the demo wrote, where guests had to live elsewhere too. */
export function removeAll(folder: string, housing: Housing): void {
  for (const path of [folder, housing.root]) rmSync(path, { recursive: true, force: true });
}

/** The image of a datastore manager that this machine has. */
export function imageOf(images: readonly Image[], ...managers: readonly string[]): Image {
  const found = managers.flatMap((manager) => images.filter((image) => image.manager === manager))[0];
  if (found === undefined) throw new Error(`no ${managers.join(' or ')} was found on this machine`);
  return found;
}
