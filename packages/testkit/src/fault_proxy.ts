import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from './seeded_random.ts';

/** A TCP proxy between a client and a real server, which does to their connections what networks and dying servers do. */
export interface FaultProxy {
  /** On 127.0.0.1. */
  readonly port: number;
  /** How many connections stand now. */
  readonly connections: number;
  /** How many it has ended by `cut`, `refuse` and `cutEvery`. */
  readonly cuts: number;
  /** The same URL with the proxy's address; every other part stays. */
  through(url: string): string;
  /** Resets every connection, once; new ones pass. */
  cut(): void;
  /** Resets every connection and each new one, until `resume`. */
  refuse(): void;
  /** From now on it stands in front of this one, the host and port of a URL; the connections to the one before are reset. */
  pointAt(target: string): void;
  /** Keeps connections and accepts new ones, and passes nothing in either direction, until `resume`: then all of it passes. */
  hang(): void;
  /** Each piece of data is this much later, in order; until `resume`. */
  delay(ms: () => number): void;
  /** Resets connections in the middle of what they say: one after so many bytes as `bytes` says, the next after as many anew. */
  cutEvery(bytes: () => number): void;
  /** Tells each server that its client has ended, and the client nothing: what it says from now on is lost. */
  halfClose(): void;
  /** As without faults. */
  resume(): void;
  /** Ends it with its connections. */
  close(): Promise<void>;
}

/** Opens one in front of `target`, the host and port of a URL; `port` 0: any that is free. */
export async function openFaultProxy(target: string, port = 0): Promise<FaultProxy> {
  const proxy = new TcpProxy(target);
  await proxy.listen(port);
  return proxy;
}

/** A whole number from `from` to below `to`. */
export function between(random: Random, from: number, to: number): () => number {
  return () => from + Math.floor(random() * (to - from));
}

type Mode = 'pass' | 'refuse' | 'hang';

class TcpProxy implements FaultProxy {
  #target: { readonly host: string; readonly port: number };
  readonly #server: Server = createServer({ allowHalfOpen: true });
  readonly #pairs = new Set<Pair>();
  #mode: Mode = 'pass';
  #resumed = Promise.withResolvers<void>();
  #delayMs: () => number = () => 0;
  #cutEvery: (() => number) | undefined;
  #untilCut = 0;
  #cuts = 0;

  constructor(target: string) {
    this.#target = addressOf(target);
    this.#server.on('connection', (client) => this.#accept(client));
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  get cuts(): number {
    return this.#cuts;
  }

  through(url: string): string {
    const parsed = new URL(url);
    parsed.hostname = '127.0.0.1';
    parsed.port = String(this.port);
    return parsed.href;
  }

  cut(): void {
    for (const pair of this.#pairs) this.#reset(pair);
  }

  refuse(): void {
    this.#mode = 'refuse';
    this.cut();
  }

  pointAt(target: string): void {
    this.#target = addressOf(target);
    this.cut();
  }

  hang(): void {
    this.#mode = 'hang';
  }

  delay(ms: () => number): void {
    this.#delayMs = ms;
  }

  cutEvery(bytes: () => number): void {
    this.#cutEvery = bytes;
    this.#untilCut = bytes();
  }

  halfClose(): void {
    for (const pair of this.#pairs) pair.halfClosed = true;
    for (const pair of this.#pairs) pair.upstream.end();
  }

  resume(): void {
    this.#mode = 'pass';
    this.#delayMs = () => 0;
    this.#cutEvery = undefined;
    this.#resumed.resolve();
    this.#resumed = Promise.withResolvers<void>();
  }

  async close(): Promise<void> {
    this.resume();
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const pair of this.#pairs) this.#end(pair);
    await closed;
  }

  #accept(client: Socket): void {
    if (this.#mode === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ ...this.#target, allowHalfOpen: true });
    const pair: Pair = { client, upstream, halfClosed: false };
    this.#pairs.add(pair);
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.#end(pair));
      socket.on('close', () => this.#end(pair));
    }
    void this.#pump(pair, client, upstream);
    void this.#pump(pair, upstream, client);
  }

  async #pump(pair: Pair, from: Socket, to: Socket): Promise<void> {
    try {
      // One side's end leaves the other direction as it is.
      const chunks: AsyncIterable<Buffer> = from.iterator({ destroyOnReturn: false });
      for await (const chunk of chunks) {
        await this.#turn();
        if (pair.halfClosed && to === pair.upstream) continue;
        if (this.#isCutWithin(chunk.length)) return this.#reset(pair);
        if (!to.write(chunk)) await once(to, 'drain');
      }
      await this.#turn();
      to.end();
    } catch {
      this.#end(pair);
    }
  }

  async #turn(): Promise<void> {
    while (this.#mode === 'hang') await this.#resumed.promise;
    const ms = this.#delayMs();
    if (ms > 0) await delay(ms);
  }

  #isCutWithin(bytes: number): boolean {
    if (this.#cutEvery === undefined) return false;
    this.#untilCut -= bytes;
    if (this.#untilCut > 0) return false;
    this.#untilCut = this.#cutEvery();
    return true;
  }

  #reset(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    this.#cuts += 1;
    pair.client.resetAndDestroy();
    pair.upstream.resetAndDestroy();
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.client.destroy();
    pair.upstream.destroy();
  }
}

function addressOf(target: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(target);
  return { host: hostname, port: Number(port) };
}

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
  halfClosed: boolean;
}
