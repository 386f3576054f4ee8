import { once } from 'node:events';
import { statSync } from 'node:fs';
import { Agent } from 'node:https';
import { setTimeout } from 'node:timers/promises';
import { loadTlsClient, type TlsClient, type TlsFiles, TroveError } from '@trove/common';
import type Docker from 'dockerode';
import type { DockerHost } from './docker_hosts.ts';

const TLS_NAMES = {
  ca: '[compute_docker] ca_file',
  cert: '[compute_docker] cert_file',
  key: '[compute_docker] key_file',
};
/** For a request that has no signal, and for each that does no work worth waiting for. */
const ANSWER_MS = 20_000;
const OTHERS_LOOKS = 20;
const OTHERS_PAUSE_MS = 100;

/** What every request of the engine's API is made with. */
type Request<T> = (docker: Docker, abortSignal: AbortSignal) => Promise<T>;

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds until an answer; default 20000. */
  readonly timeoutMs?: number;
}

/** One engine's API. Failures are `COMPUTE_ERROR`; `httpStatus` of one is what the engine said. */
export class Engine {
  readonly host: DockerHost;
  readonly #docker: Docker;
  readonly #tls: TlsClient | undefined;

  constructor(host: DockerHost, docker: Docker, tls: TlsClient | undefined) {
    this.host = host;
    this.#docker = docker;
    this.#tls = tls;
  }

  async call<T>(request: Request<T>, { signal, timeoutMs = ANSWER_MS }: CallOptions = {}): Promise<T> {
    signal?.throwIfAborted();
    const patience = AbortSignal.timeout(timeoutMs);
    const either = signal === undefined ? patience : AbortSignal.any([signal, patience]);
    try {
      return await Promise.race([request(this.#docker, either), untilAborted(either)]);
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#explain(error);
    }
  }

  /** Undefined where the engine says that there is no such thing. */
  async find<T>(request: Request<T>, options?: CallOptions): Promise<T | undefined> {
    try {
      return await this.call(request, options);
    } catch (error) {
      if (httpStatus(error) === 404) return undefined;
      throw error;
    }
  }

  #explain(error: unknown): TroveError {
    const status = httpStatus(error);
    if (status !== undefined) {
      const retryable = status >= 500 || status === 409;
      return new TroveError('COMPUTE_ERROR', 'The Docker engine refused a request.', { cause: error, retryable });
    }
    const { endpoint, name } = this.host;
    const reason = endpoint.kind === 'tls' ? this.#tls?.explain(error, endpoint) : socketRefusal(endpoint.path, error);
    const cause = new Error(`host ${name}: ${reason ?? 'no answer'}`, { cause: error });
    return new TroveError('COMPUTE_ERROR', 'A Docker engine does not answer.', { cause, retryable: true });
  }
}

/** Not every request of the library listens to a signal. */
async function untilAborted(signal: AbortSignal): Promise<never> {
  await once(signal, 'abort');
  signal.throwIfAborted();
  throw new TroveError('INTERNAL', 'An aborted signal is not aborted.');
}

/**
 * What somebody else is making at this moment: its name is taken before it shows. Looks for it for two seconds; undefined
 * where it does not come.
 */
export async function waitForOthers<T>(
  look: () => Promise<T | undefined>,
  signal: AbortSignal,
): Promise<T | undefined> {
  for (let looks = 0; looks < OTHERS_LOOKS; looks += 1) {
    const found = await look();
    if (found !== undefined) return found;
    await setTimeout(OTHERS_PAUSE_MS, undefined, { signal });
  }
  return undefined;
}

/** What the engine answered, also where the error was wrapped; undefined where it did not answer. */
export function httpStatus(error: unknown): number | undefined {
  for (let link = error; link instanceof Error; link = link.cause) {
    const status: unknown = Reflect.get(link, 'statusCode');
    if (typeof status === 'number') return status;
  }
  return undefined;
}

/**
 * Opens the engines; asks none of them yet. `CONFIG_INVALID` names setting and file where one of `tcp://` lacks its
 * certificates: an engine's port without TLS is root for whoever reaches it.
 */
export async function openEngines(hosts: readonly DockerHost[], files: TlsFiles): Promise<readonly Engine[]> {
  const tls = hosts.some(({ endpoint }) => endpoint.kind === 'tls') ? loadClient(files) : undefined;
  const { default: Client } = await import('dockerode');
  return hosts.map((host) => new Engine(host, new Client(clientOptions(host, tls)), tls));
}

function loadClient(files: TlsFiles): TlsClient {
  for (const part of ['cert', 'key'] as const) {
    if (files[part] !== undefined) continue;
    throw new TroveError(
      'CONFIG_INVALID',
      `${TLS_NAMES[part]} is not set: a Docker engine of tcp:// wants to know us.`,
    );
  }
  return loadTlsClient(files, TLS_NAMES);
}

/** Every option that the library would else take from DOCKER_HOST and its like is given here. */
function clientOptions({ endpoint }: DockerHost, tls: TlsClient | undefined): ClientOptions {
  if (endpoint.kind === 'socket') {
    return { socketPath: endpoint.path, protocol: 'http', ...NOTHING_FROM_THE_ENVIRONMENT };
  }
  return {
    ...NOTHING_FROM_THE_ENVIRONMENT,
    protocol: 'https',
    host: endpoint.host,
    port: endpoint.port,
    agent: new Agent({ ...tls?.connectOptions, keepAlive: true }),
  };
}

/** The library takes an agent too; its types do not say so. */
type ClientOptions = Docker.DockerOptions & { readonly agent?: Agent };

const NOTHING_FROM_THE_ENVIRONMENT = {
  host: undefined,
  port: undefined,
  pathPrefix: '/',
  ca: undefined,
  cert: undefined,
  key: undefined,
  timeout: undefined,
  username: undefined,
} as const;

/** Why a socket does not let us in: it is there, and belongs to a group that we are not in. */
function socketRefusal(path: string, error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  if (error.code === 'ENOENT') return `there is no socket ${path}`;
  if (error.code !== 'EACCES') return undefined;
  const groups = process.getgroups?.().join(', ');
  return `${path} belongs to group ${groupOf(path)}, and this account (uid ${process.geteuid?.()}) is in ${groups}`;
}

function groupOf(path: string): number | string {
  try {
    return statSync(path).gid;
  } catch {
    return 'unknown';
  }
}
