import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBinary } from './find_binary.ts';
import { freePort } from './free_ports.ts';
import type { RunningServer } from './running_server.ts';
import { startServerProcess, waitUntilReady } from './server_process.ts';
import { type ServerTls, writeServerTls } from './server_tls.ts';

const SOCKET = 'unix:///var/run/docker.sock';
const READY_MS = 60_000;
const OTHERS_BRIDGE = '/sys/class/net/docker0';
/** Of a network's id, as much as the name of its device has. */
const NETWORK_ID_IN_NAME = 12;

/** A Docker engine for tests; `url` is that of its socket, `unix://…`. */
export interface DockerEngine extends RunningServer {
  /** `tcp://127.0.0.1:…` where it speaks TLS too. */
  readonly tlsUrl: string | undefined;
}

/** Why there is no engine to test on, in a line for people. */
export interface NoDockerEngine {
  readonly missing: string;
}

/**
 * The engine that `DOCKER_HOST` names or that has the usual socket, if it answers; else a private one, as root where
 * `dockerd` is installed. `unix://` only: tests need no more.
 */
export async function provideDockerEngine(
  env: NodeJS.ProcessEnv = process.env,
): Promise<DockerEngine | NoDockerEngine> {
  for (const url of [env['DOCKER_HOST'], SOCKET]) {
    if (url?.startsWith('unix://') && (await answers(url))) {
      const description = `the Docker engine of ${url}`;
      return { url, tlsUrl: undefined, description, running: () => true, stop: () => Promise.resolve() };
    }
  }
  const missing = cannotStartDocker();
  return missing === undefined ? startDockerEngine() : { missing };
}

/** Why `startDockerEngine` cannot work here; undefined where it can. */
export function cannotStartDocker(): string | undefined {
  if (findBinary('dockerd') === undefined)
    return 'no Docker engine answers, and dockerd is not installed ("apt-get install docker.io" on Debian, Ubuntu)';
  if (process.getuid?.() !== 0) return 'no Docker engine answers, and only root can start one';
  if (existsSync(OTHERS_BRIDGE) && findBinary('ip') === undefined)
    return 'another Docker engine is set up here and does not answer; one beside it needs "ip" of iproute2';
  return undefined;
}

/**
 * An engine that shares nothing with any other on the machine: own images, containers and sockets, no bridge that is used, and
 * the host's packet filter left alone. With `tls` it also listens on a port of 127.0.0.1, for those whom its CA has signed.
 */
export async function startDockerEngine(tls?: ServerTls): Promise<DockerEngine> {
  const program = findBinary('dockerd');
  if (program === undefined) throw new Error(cannotStartDocker());
  const folder = await mkdtemp(join(tmpdir(), 'trove-dockerd-'));
  const url = `unix://${join(folder, 'docker.sock')}`;
  const tlsUrl = tls === undefined ? undefined : `tcp://127.0.0.1:${await freePort()}`;
  const files = tls === undefined ? undefined : await writeServerTls(folder, tls, undefined);
  const bridge = ownBridge();
  const engine = startServerProcess({
    command: program,
    args: [
      ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec'), '--pidfile', join(folder, 'pid')],
      ...['--host', url, '--bridge', bridge.name, '--iptables=false', '--ip6tables=false', '--ip-masq=false'],
      ...(files === undefined
        ? []
        : [
            '--host',
            tlsUrl ?? '',
            '--tlsverify',
            '--tlscacert',
            files.ca,
            '--tlscert',
            files.cert,
            '--tlskey',
            files.key,
          ]),
    ],
    env: process.env,
    cwd: folder,
    account: undefined,
    logFile: join(folder, 'dockerd.log'),
  });
  const stop = async (): Promise<void> => {
    const left = await bridgesOfNetworks(url);
    await engine.stop(60_000);
    for (const name of left) removeLink(name);
    bridge.remove();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await waitUntilReady('dockerd', engine, () => answers(url), READY_MS);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, tlsUrl, description: `a Docker engine from ${program}`, running: () => engine.running(), stop };
}

/** An engine without a bridge takes away `docker0`, also where it is another engine's: beside one it gets a bridge that nothing uses. */
function ownBridge(): { readonly name: string; remove(): void } {
  const ip = existsSync(OTHERS_BRIDGE) ? findBinary('ip') : undefined;
  if (ip === undefined) return { name: 'none', remove: () => undefined };
  const name = `trove-${randomInt(16 ** 6).toString(16)}`;
  const run = (...args: readonly string[]): void => void execFileSync(ip, args, { stdio: 'ignore' });
  run('link', 'add', 'name', name, 'type', 'bridge');
  run('address', 'add', `169.254.${randomInt(1, 255)}.1/30`, 'dev', name);
  return { name, remove: () => run('link', 'delete', name) };
}

/** The devices of its networks, which an engine that ends leaves behind, and which take the way of the next one's packets. */
async function bridgesOfNetworks(url: string): Promise<readonly string[]> {
  const answer = await get(url, '/networks');
  if (answer?.status !== 200) return [];
  const networks = JSON.parse(answer.text) as { Id: string; Driver: string; Name: string }[];
  return networks
    .filter(({ Driver, Name }) => Driver === 'bridge' && Name !== 'bridge')
    .map(({ Id }) => `br-${Id.slice(0, NETWORK_ID_IN_NAME)}`);
}

function removeLink(name: string): void {
  const ip = findBinary('ip');
  if (ip !== undefined && existsSync(`/sys/class/net/${name}`)) execFileSync(ip, ['link', 'delete', name]);
}

/** Whether an engine on this machine says that it is there. */
async function answers(url: string): Promise<boolean> {
  return (await get(url, '/_ping'))?.status === 200;
}

/** Undefined where nobody answers. */
async function get(url: string, path: string): Promise<{ readonly status: number; readonly text: string } | undefined> {
  const socketPath = url.slice('unix://'.length);
  if (!existsSync(socketPath)) return undefined;
  return await new Promise((resolve) => {
    const asked = request({ socketPath, path, timeout: 5000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', () => resolve(undefined));
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(undefined));
    asked.end();
  });
}
