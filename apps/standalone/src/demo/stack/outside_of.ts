import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createCli } from '@trove/cli';
import type { CatalogLook } from '../looks/catalog_look.ts';
import { runProgram } from '../looks/command.ts';
import { currentDatabase } from '../looks/database_client.ts';
import { leaveMarkers, lookAtServer } from '../looks/server_look.ts';
import type { AtHand, CommandResult, Outside, Speaker, TappedMessage } from '../outside.ts';
import { APPS } from './apps.ts';
import { type Deployment, setMessaging } from './deployment.ts';

/** What the runtimes do each in their own way. */
export interface Runtime {
  readonly description: string;
  readonly deployment: Deployment;
  /** Where the servers are. */
  readonly instancesRoot: string;
  readonly atHand: AtHand;
  readonly manager: string;
  readonly catalog: CatalogLook;
  makeOldCatalog(): Promise<void>;
  placeLegacyGuest(name: string): Promise<void>;
  /** Starts api, taskmanager and conductor from their files; returns what they said. */
  start(): Promise<string>;
  stop(): Promise<void>;
  tapped(): readonly TappedMessage[];
}

export function outsideOf(runtime: Runtime): Outside {
  const { deployment, catalog } = runtime;
  const root = runtime.instancesRoot;
  return {
    atHand: async () => runtime.atHand,
    trove: (speaker, argv, input) => runTrove(deployment, speaker, argv, input),
    manage: (argv) => runManage(deployment, argv),
    makeOldCatalog: () => runtime.makeOldCatalog(),
    placeLegacyGuest: (name) => runtime.placeLegacyGuest(name),
    async startControlPlane(messaging) {
      setMessaging(deployment, messaging);
      return runtime.start();
    },
    stopControlPlane: () => runtime.stop(),
    select: (sql) => catalog.select(sql),
    columns: (table) => catalog.columns(table),
    server: async (instanceId) => lookAtServer(root, instanceId),
    leaveMarkers: async (instanceId) => leaveMarkers(root, instanceId),
    tapped: async () => [...runtime.tapped()],
    connect: (login) => currentDatabase(runtime.manager, login),
    configFile: async (name) => readFileSync(deployment.configPath(name), 'utf8'),
    sleep: async (ms) => {
      await delay(ms);
    },
  };
}

export function runManage(deployment: Deployment, argv: readonly string[]): Promise<CommandResult> {
  const script = join(APPS, 'standalone', 'bin', 'trove-manage.js');
  return runProgram(script, ['--config-file', deployment.configPath('trove.conf'), ...argv], process.env);
}

async function runTrove(
  deployment: Deployment,
  speaker: Speaker,
  argv: readonly string[],
  input: string | undefined,
): Promise<CommandResult> {
  const out: string[] = [];
  const err: string[] = [];
  const cli = createCli({
    fetch: globalThis.fetch,
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
    ...(input === undefined ? {} : { stdin: Readable.from([input]) }),
    env: { TROVE_URL: `http://127.0.0.1:${deployment.apiPort}`, TROVE_HOME: dirname(deployment.tokensFile) },
  });
  const code = await cli.run(['--as', speaker, ...argv]);
  return { code, stdout: out.join(''), stderr: err.join('') };
}
