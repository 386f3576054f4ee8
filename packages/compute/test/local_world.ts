import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identifyProcess, newUuid, processCommandLine, silentLogger } from '@trove/common';
import { reachableCopy } from '@trove/testkit';
import type { CreateServer, Server } from '../src/driver.ts';
import { type Account, guestAccount } from '../src/local/account.ts';
import type { AgentRunner } from '../src/local/agent_runner.ts';
import { createDetachedAgentRunner } from '../src/local/detached_agent.ts';
import type { LocalInstallation } from '../src/local/images.ts';
import { LocalCompute, type LocalComputeOptions } from '../src/local/local_compute.ts';

/** An agent that leaves a program running beside itself, as a real one leaves its database, and writes down what it was given. */
const AGENT = `
const { spawn } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const server = JSON.parse(readFileSync(process.argv[process.argv.indexOf('--server-file') + 1], 'utf8'));
const child = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
const stat = readFileSync('/proc/' + child.pid + '/stat', 'utf8');
const started = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() + '/' + stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
writeFileSync(join(server.root_dir, 'run/database.process'), JSON.stringify({ pid: child.pid, started }));
writeFileSync(join(server.root_dir, 'run/seen.json'), JSON.stringify({ argv: process.argv.slice(2), env: process.env, uid: process.getuid(), server }));
setInterval(() => {}, 1000);
`;
/** The address after this one. */
export function nextAddress(address: string): string {
  const parts = address.split('.').map(Number);
  return [...parts.slice(0, 3), (parts[3] ?? 0) + 1].join('.');
}

/** Holds a port. */
export async function listen(host: string, port: number): Promise<TcpServer> {
  const server = createTcpServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ host, port }, resolve));
  return server;
}

/** The agents that run for this instance, by their command lines. */
export function agentsOn(create: CreateServer): number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids.filter(
    (pid) =>
      processCommandLine(pid).includes(`${create.instanceId}/root/etc/trove/server.json`) &&
      identifyProcess(pid) !== undefined,
  );
}

const INSTALLATIONS: readonly LocalInstallation[] = [
  { manager: 'postgresql', version: '18.4', binDir: '/opt/one', port: 15432 },
  { manager: 'postgresql', version: '15.18', binDir: '/opt/two', port: 15432 },
];

export interface LocalWorld {
  readonly folder: string;
  readonly account: Account | undefined;
  /** Starts `AGENT` as a process of its own. */
  readonly runner: AgentRunner;
  /** A compute over `<folder>/<root>`; several over one are several taskmanagers of one host. */
  open(root: string, options?: Partial<LocalComputeOptions>): LocalCompute;
  newServer(compute: LocalCompute): Promise<{ create: CreateServer; server: Server }>;
  dispose(): Promise<void>;
}

/** Local computes with agents that run `AGENT`; the network is one that no other test file has. */
export function localWorld(network: string): LocalWorld {
  const folder = mkdtempSync(join(tmpdir(), 'compute-'));
  chmodSync(folder, 0o755);
  const program = join(folder, 'agent.cjs');
  writeFileSync(program, AGENT, { mode: 0o644 });
  const node = reachableCopy(process.execPath);
  const account = guestAccount('nobody');
  const runner = createDetachedAgentRunner({ program, node: node.path });
  const opened: LocalCompute[] = [];
  return {
    ...{ folder, account, runner },
    open(root, options = {}) {
      const compute = new LocalCompute({
        ...{ root: join(folder, root), network, host: 'here', account, runner, logger: silentLogger, restartMs: 100 },
        installations: {
          find: async () => INSTALLATIONS,
          inspect: async (path) => (path === '/opt/own' ? INSTALLATIONS[0] : undefined),
        },
        ...options,
      });
      if (options.runner === undefined) opened.push(compute);
      return compute;
    },
    async newServer(compute) {
      const { signal } = new AbortController();
      const [flavor] = await compute.flavors();
      const [image] = await compute.images();
      if (flavor === undefined || image === undefined) throw new Error('there is a flavor and an image');
      const owner = { deploymentId: newUuid(), instanceId: newUuid() };
      const { volumeId } = await compute.createVolume({ ...owner, clientToken: owner.instanceId, size: 1 }, signal);
      const files = { '/etc/trove/conf.d/guest_info.conf': 'one' };
      const named = { clientToken: newUuid(), projectId: 'p', name: 'n' };
      const create = { ...owner, ...named, flavor, imageId: image.id, volumeId, files };
      return { create, server: await compute.createServer(create, signal) };
    },
    async dispose() {
      for (const compute of opened) await compute.close({ stopServers: true });
      rmSync(folder, { recursive: true, force: true });
      node.dispose();
    },
  };
}
