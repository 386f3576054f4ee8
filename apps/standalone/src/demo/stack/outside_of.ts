import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createCli } from '@trove/cli';
import type { CatalogLook } from '../looks/catalog_look.ts';
import { currentDatabase } from '../looks/database_client.ts';
import {
  type AtHand,
  CONFIG_FILES,
  type CommandResult,
  type ConfigFileName,
  type Outside,
  type ServerFacts,
  type Speaker,
  type TappedMessage,
} from '../outside.ts';
import { withMessaging } from './messaging_switch.ts';

/** What the runtimes do each in their own way. */
export interface Runtime {
  readonly description: string;
  readonly atHand: AtHand;
  readonly manager: string;
  readonly catalog: CatalogLook;
  /** By which the `trove` command finds the API and its tokens: TROVE_URL and TROVE_HOME. */
  readonly cliEnvironment: Readonly<Record<'TROVE_URL' | 'TROVE_HOME', string>>;
  manage(argv: readonly string[]): Promise<CommandResult>;
  makeOldCatalog(): Promise<void>;
  placeLegacyGuest(name: string): Promise<void>;
  readConfig(name: ConfigFileName): Promise<string>;
  writeConfig(name: ConfigFileName, text: string): Promise<void>;
  /** Starts api, taskmanager and conductor from their files; returns what they said. */
  start(): Promise<string>;
  stop(): Promise<void>;
  server(instanceId: string): Promise<ServerFacts>;
  leaveMarkers(instanceId: string): Promise<void>;
  tapped(): readonly TappedMessage[];
}

export interface OpenRuntime extends Runtime {
  /** Stops everything that was started, and removes what was written unless it is to be looked at. */
  close(options?: { readonly keepFiles?: boolean }): Promise<void>;
}

export function outsideOf(runtime: Runtime): Outside {
  const { catalog } = runtime;
  return {
    atHand: async () => runtime.atHand,
    trove: (speaker, argv, input) => runTrove(runtime, speaker, argv, input),
    manage: (argv) => runtime.manage(argv),
    makeOldCatalog: () => runtime.makeOldCatalog(),
    placeLegacyGuest: (name) => runtime.placeLegacyGuest(name),
    async startControlPlane(messaging) {
      for (const name of CONFIG_FILES)
        await runtime.writeConfig(name, withMessaging(await runtime.readConfig(name), messaging));
      return runtime.start();
    },
    stopControlPlane: () => runtime.stop(),
    select: (sql) => catalog.select(sql),
    columns: (table) => catalog.columns(table),
    server: (instanceId) => runtime.server(instanceId),
    leaveMarkers: (instanceId) => runtime.leaveMarkers(instanceId),
    tapped: async () => [...runtime.tapped()],
    connect: (login) => currentDatabase(runtime.manager, login),
    configFile: (name) => runtime.readConfig(name),
    sleep: async (ms) => {
      await delay(ms);
    },
  };
}

async function runTrove(
  { cliEnvironment }: Runtime,
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
    env: cliEnvironment,
  });
  const code = await cli.run(['--as', speaker, ...argv]);
  return { code, stdout: out.join(''), stderr: err.join('') };
}
