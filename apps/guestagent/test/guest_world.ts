import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { newUuid, randomText, Secret, silentLogger } from '@trove/common';
import type { ArgsOf, GuestApi } from '@trove/contracts';
import {
  createConductorServer,
  createGuestClient,
  createMemoryBroker,
  type GuestClient,
  type GuestPeer,
  type HeartbeatReport,
  keyCheckValue,
  type MemoryBroker,
  type TappedMessage,
  uplinkKey,
} from '@trove/crypto-rpc';
import { findInstallations } from '@trove/datastores';
import { reachableCopy } from '@trove/testkit';
import { afterAll, expect, vi } from 'vitest';
import { buildGuestAgent, type GuestAgent } from '../src/guest_agent.ts';
import { loadGuestConfig } from '../src/options.ts';
import { readServerFacts } from '../src/server_facts.ts';

export const PREPARE: ArgsOf<GuestApi['prepare']> = {
  packages: [],
  databases: [{ _name: 'first' }],
  memory_mb: 512,
  users: [{ _name: 'ann', _password: 'pw-ann', _databases: [{ _name: 'first' }] }],
  device_path: null,
  mount_point: null,
  backup_info: null,
  config_contents: null,
  root_password: null,
  overrides: null,
  cluster_config: null,
  snapshot: null,
  modules: null,
  ds_version: null,
};
export const PAGE = { limit: null, marker: null, include_marker: false };
const NOBODY = { uid: 65534, gid: 65534 };
const [installation] = await findInstallations();
const programs = installation && reachableCopy(dirname(installation.binDir));
afterAll(() => programs?.dispose());

export interface World {
  readonly folder: string;
  readonly instanceId: string;
  readonly broker: MemoryBroker;
  readonly client: GuestClient;
  readonly reports: HeartbeatReport[];
  readonly tapped: TappedMessage[];
  readonly agent: GuestAgent;
  /** A new agent on the same server, as after a crash. */
  newAgent(): Promise<GuestAgent>;
  peer: { bootNonce: Buffer | null };
}

const agents: GuestAgent[] = [];
const closers: (() => Promise<void>)[] = [];
let addresses = 0;

/** A server as local compute makes it, and a control plane of which there is just the RPC. */
export async function makeWorld(sealed: boolean): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'guest-'));
  const instanceId = newUuid();
  const key = randomText(32);
  const configFiles = writeServer(folder, instanceId, sealed ? key : undefined);
  const broker = createMemoryBroker();
  const tapped: TappedMessage[] = [];
  broker.tap((message) => tapped.push(message));
  const state: { bootNonce: Buffer | null } = { bootNonce: null };
  const guestKey = {
    version: 1,
    state: 'active' as const,
    instanceKey: new Secret(key),
    uplinkKey: new Secret(uplinkKey(key)),
  };
  const keyStore = {
    guestPeer: async (): Promise<GuestPeer> => ({
      ...{ instanceId, policy: sealed ? 2 : 0, keys: sealed ? [guestKey] : [] },
      ...{ pendingOnly: false, bootNonce: state.bootNonce, sequence: null },
    }),
    forget: () => undefined,
  };
  const bus = broker.bus();
  const common = { sealedBus: bus, legacyBus: bus, keyStore, controlExchange: 'trove', logger: silentLogger };
  const client = createGuestClient(common);
  const reports: HeartbeatReport[] = [];
  const handlers = {
    heartbeats: async (batch: readonly HeartbeatReport[]) => void reports.push(...batch),
    event: async () => undefined,
    helloWanted: async () => undefined,
  };
  const conductor = createConductorServer({ ...common, allowPlaintext: true, handlers });
  await conductor.start();
  await client.declareGuest(instanceId, sealed ? 2 : 0);
  const newAgent = async (): Promise<GuestAgent> => {
    const server = readServerFacts(join(folder, 'root/etc/trove/server.json'));
    const connect = async () => broker.bus();
    const config = loadGuestConfig(configFiles);
    const agent = buildGuestAgent({ config, configFiles, server, connect, logger: silentLogger });
    await agent.start();
    agents.push(agent);
    return agent;
  };
  const agent = await newAgent();
  closers.push(async () => {
    for (const each of agents.splice(0)) await each.close({ database: 'stop' });
    await client.close();
    await conductor.close();
    await bus.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const world = { folder, instanceId, broker, client, reports, tapped, agent, newAgent, peer: state };
  if (sealed) await sayHello(world, key);
  return world;
}

/** The injected files and the server's own facts, as local compute lays them out; resolves to the injected files. */
export function writeServer(folder: string, instanceId: string, key: string | undefined, url = 'memory://'): string[] {
  if (installation === undefined || programs === undefined) throw new Error('a database server is installed');
  chmodSync(folder, 0o755);
  for (const part of ['files', 'root/etc/trove', 'volume']) mkdirSync(join(folder, part), { recursive: true });
  const account = process.getuid?.() === 0 ? NOBODY : null;
  for (const part of account === null ? [] : ['root', 'volume']) chownSync(join(folder, part), NOBODY.uid, NOBODY.gid);
  addresses += 1;
  const facts = {
    ...{ address: `127.67.${process.pid % 250}.${addresses}`, port: installation.port },
    ...{
      volume_dir: join(folder, 'volume'),
      volume_size: 3,
      root_dir: join(folder, 'root'),
      bin_dir: join(programs.path, basename(installation.binDir)),
    },
    ...{ manager: installation.manager, version: installation.version, account },
  };
  writeFileSync(join(folder, 'root/etc/trove/server.json'), JSON.stringify(facts));
  const agentFile = join(folder, 'files/trove-guestagent.conf');
  writeFileSync(agentFile, `[DEFAULT]\ntransport_url = ${url}\ncontrol_exchange = trove\nreport_interval = 1\n`);
  const guestInfo = join(folder, 'files/guest_info.conf');
  const keyLine = key === undefined ? '' : `instance_rpc_encr_key = ${key}\n`;
  writeFileSync(
    guestInfo,
    `[DEFAULT]\nguest_id = ${instanceId}\ndatastore_manager = ${installation.manager}\ntenant_id = p\n${keyLine}`,
  );
  return [agentFile, guestInfo];
}

export async function sayHello(world: World, key?: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const answer = await world.client.hello(world.instanceId, { deadlineMs: 3000 });
      if (key !== undefined) expect(answer.kcv).toBe(keyCheckValue(key));
      world.peer.bootNonce = answer.bootNonce;
    },
    { timeout: 40_000 },
  );
}

export async function prepare(world: World, key = 'prepare-1'): Promise<void> {
  const accepted = await world.client.call(world.instanceId, 'prepare', PREPARE, {
    deadlineMs: 20_000,
    idempotencyKey: key,
    fence: 1n,
  });
  expect(accepted).toEqual({ accepted: true });
}

export async function outcome(world: World, key: string): Promise<{ state: string; error?: unknown }> {
  return world.client.call(world.instanceId, 'get_outcome', { idempotency_key: key }, { deadlineMs: 20_000 });
}

export async function prepared(world: World): Promise<void> {
  await prepare(world);
  await vi.waitFor(async () => expect(await outcome(world, 'prepare-1')).toEqual({ state: 'done' }), {
    timeout: 30_000,
    interval: 100,
  });
}

export function statuses(world: World): (string | undefined)[] {
  return world.reports.map((report) => report.args.payload.service_status);
}

export async function databases(world: World): Promise<string[]> {
  const [items] = await world.client.call(world.instanceId, 'list_databases', PAGE, { deadlineMs: 20_000 });
  return items.map((item) => item._name);
}

export function databaseProcess(world: World): string {
  return readFileSync(join(world.folder, 'root/run/database.process'), 'utf8');
}

/** Ends every agent, with its database, and every world that was made. */
export async function disposeWorlds(): Promise<void> {
  for (const close of closers.splice(0)) await close();
}
