import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { sha256, TroveError } from '@trove/common';

/** An address and port that one server has for life. */
export interface TakenAddress {
  readonly address: string;
  readonly port: number;
}

type Bind = 'free' | 'busy' | 'unavailable';

const LOOPBACK = '127.0.0.1';
const PROBE = '127.127.255.253';
/** Below the range from which systems give out ports to clients. */
const FIRST_PORT = 20_000;
const LAST_PORT = 29_999;

/**
 * Addresses of the loopback network, each taken by making a file of its name that holds the server's id, so that two
 * never get the same. One on which the port is busy (another deployment's) is marked and left alone.
 */
export class Addresses {
  readonly #folder: string;
  readonly #network: Network;

  /** @param network such as `127.64.0.0/16`; `CONFIG_INVALID` where it is no network of 127.0.0.0/8 with room for hosts. */
  constructor(folder: string, network: string) {
    this.#folder = folder;
    this.#network = parseNetwork(network);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
  }

  /** An address of the server's own with its standard port; where that cannot be had, a port of its own on 127.0.0.1. */
  async take(serverId: string, port: number): Promise<TakenAddress> {
    const taken = this.findFor(serverId, port);
    if (taken !== undefined) return taken;
    if (!(await this.isFree(port))) return this.#takePort(serverId);
    return this.#takeAddress(serverId, port);
  }

  /** Whether servers can have this port on addresses of their own: it is not held on all, and the system has more than one. */
  async isFree(port: number): Promise<boolean> {
    return (await tryBind(PROBE, port)) === 'free';
  }

  /** What this server has taken already, or undefined. */
  findFor(serverId: string, port: number): TakenAddress | undefined {
    const name = readdirSync(this.#folder).find((entry) => this.#holder(entry) === serverId);
    if (name === undefined) return undefined;
    const [address = name, own] = name.split(':');
    return { address, port: own === undefined ? port : Number(own) };
  }

  release(serverId: string): void {
    for (const entry of readdirSync(this.#folder)) {
      if (this.#holder(entry) === serverId) rmSync(join(this.#folder, entry), { force: true });
    }
  }

  async #takeAddress(serverId: string, port: number): Promise<TakenAddress> {
    const start = sha256(this.#folder).readUInt32BE() % this.#network.hosts;
    for (let step = 0; step < this.#network.hosts; step += 1) {
      const address = addressAt(this.#network, (start + step) % this.#network.hosts);
      if (!this.#claim(address, serverId)) continue;
      if ((await tryBind(address, port)) === 'free') return { address, port };
      writeFileSync(join(this.#folder, address), 'busy');
    }
    throw new TroveError('COMPUTE_ERROR', 'No address is free for another server.');
  }

  async #takePort(serverId: string): Promise<TakenAddress> {
    for (let port = FIRST_PORT; port <= LAST_PORT; port += 1) {
      if (!this.#claim(`${LOOPBACK}:${port}`, serverId)) continue;
      if ((await tryBind(LOOPBACK, port)) === 'free') return { address: LOOPBACK, port };
      writeFileSync(join(this.#folder, `${LOOPBACK}:${port}`), 'busy');
    }
    throw new TroveError('COMPUTE_ERROR', 'No port is free for another server.');
  }

  #claim(name: string, serverId: string): boolean {
    try {
      writeFileSync(join(this.#folder, name), serverId, { flag: 'wx' });
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
      throw error;
    }
  }

  #holder(entry: string): string | undefined {
    try {
      return readFileSync(join(this.#folder, entry), 'utf8');
    } catch {
      return undefined;
    }
  }
}

interface Network {
  readonly base: number;
  /** How many addresses there are without the first and the last. */
  readonly hosts: number;
}

function parseNetwork(text: string): Network {
  const match = /^127\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  const [second = 256, third = 256, fourth = 256, prefix = 33] = (match ?? []).slice(1).map(Number);
  if (prefix < 8 || prefix > 30 || Math.max(second, third, fourth) > 255) {
    throw new TroveError(
      'CONFIG_INVALID',
      '[compute_local] network must be a network of 127.0.0.0/8, such as 127.64.0.0/16.',
    );
  }
  const size = 2 ** (32 - prefix);
  const address = 127 * 2 ** 24 + second * 2 ** 16 + third * 2 ** 8 + fourth;
  return { base: address - (address % size), hosts: size - 2 };
}

function addressAt(network: Network, index: number): string {
  const address = network.base + 1 + index;
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

/** Whether a server could listen there: the port is really bound for a moment. */
async function tryBind(address: string, port: number): Promise<Bind> {
  const server = createServer();
  const outcome = await new Promise<Bind>((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'EADDRINUSE' ? 'busy' : 'unavailable'),
    );
    server.listen({ host: address, port, exclusive: true }, () => resolve('free'));
  });
  await new Promise<void>((resolve) => (server.listening ? server.close(() => resolve()) : resolve()));
  return outcome;
}
