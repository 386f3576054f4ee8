import { type Clock, fullJitterMs, isTroveError, type Logger, TroveError } from '@trove/common';
import type { Bus, ConsumeOptions, DeclareOptions, Delivery, Publication, Subscription, Topology } from './bus.ts';
import { Declared } from './declared.ts';
import { type Link, LinkLost, Unconfirmed } from './link.ts';
import { ManagedSubscription } from './managed_subscription.ts';

const BACKOFF_BASE_MS = 100;
const BACKOFF_CAP_MS = 30_000;

export interface ManagedBusOptions {
  readonly openLink: () => Promise<Link>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** A bus over one link after another: what was declared and consumed is taken up again at each. */
export class ManagedBus implements Bus {
  readonly #options: ManagedBusOptions;
  readonly #declared = new Declared();
  readonly #subscriptions = new Set<ManagedSubscription>();
  readonly #listeners = new Set<() => void>();
  readonly #waiting = new Set<(link: Link) => void>();
  readonly #publishing = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #link: Link | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ManagedBusOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  get state(): Bus['state'] {
    if (this.#closing !== undefined) return 'closed';
    if (this.#link === undefined) return 'connecting';
    return this.#link.blocked === undefined ? 'connected' : 'blocked';
  }

  async declare(topology: Topology, options: DeclareOptions = {}): Promise<void> {
    await this.#withLink((link) => link.declare(topology));
    if (options.once !== true) this.#declared.add(topology);
  }

  publish(publication: Publication): Promise<void> {
    const published = this.#publish(publication);
    this.#publishing.add(published);
    const done = (): boolean => this.#publishing.delete(published);
    published.then(done, done);
    return published;
  }

  async consume(
    queue: string,
    options: ConsumeOptions,
    onDelivery: (delivery: Delivery) => Promise<void>,
  ): Promise<Subscription> {
    if (this.#closing !== undefined) throw closed();
    const subscription = new ManagedSubscription(queue, options, onDelivery, {
      clock: this.#options.clock,
      logger: this.#options.logger,
      remake: (link) => link.declare(this.#declared.ofQueue(queue)),
    });
    this.#subscriptions.add(subscription);
    if (this.#link !== undefined) await subscription.attach(this.#link);
    return {
      cancel: async () => {
        this.#subscriptions.delete(subscription);
        await subscription.cancel();
      },
    };
  }

  async deleteQueue(name: string): Promise<void> {
    this.#declared.forgetQueue(name);
    await this.#withLink((link) => link.deleteQueue(name));
  }

  onConnected(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (this.#link !== undefined) queueMicrotask(() => this.#tell(listener));
    return () => this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Resolves when a connection stands; `BUS_UNAVAILABLE` when none does within the bus's time-out. */
  async connected(): Promise<void> {
    await this.#withLink(() => Promise.resolve());
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.cancel()));
    await Promise.allSettled(this.#publishing);
    this.#stop.abort(closed());
    await this.#link?.close();
    await this.#running;
  }

  async #publish(publication: Publication): Promise<void> {
    let writes = 0;
    const write = (link: Link): Promise<void> => {
      writes += 1;
      return link.publish(publication);
    };
    try {
      await this.#withLink(write, { publishes: true });
    } catch (error) {
      // A refusal says what became of the last one; of those before it, which went with their links, nobody does.
      const unknown = isTroveError(error, 'RPC_REFUSED') ? writes - 1 : writes;
      if (unknown <= 0 || !isTroveError(error)) throw error;
      const cause = new Unconfirmed('written and not confirmed', { cause: error });
      throw new TroveError(error.code, error.message, { retryable: error.retryable, cause });
    }
  }

  async #run(): Promise<void> {
    let attempt = 0;
    while (!this.#stop.signal.aborted) {
      try {
        const link = await this.#options.openLink();
        attempt = 0;
        await this.#use(link);
      } catch (error) {
        this.#options.logger.warn('bus not reached', { error, attempt });
      }
      await this.#pause(fullJitterMs(attempt, BACKOFF_BASE_MS, BACKOFF_CAP_MS));
      attempt += 1;
    }
  }

  async #use(link: Link): Promise<void> {
    if (this.#stop.signal.aborted) return link.close();
    try {
      await link.declare(this.#declared.all());
    } catch (error) {
      await link.close();
      throw error;
    }
    this.#link = link;
    for (const waiting of [...this.#waiting]) waiting(link);
    for (const subscription of this.#subscriptions) void subscription.attach(link);
    for (const listener of this.#listeners) this.#tell(listener);
    // A close that found no link yet could not end this one.
    if (this.#stop.signal.aborted) await link.close();
    await link.closed;
    this.#link = undefined;
    for (const subscription of this.#subscriptions) {
      subscription.detach();
      if (this.#declared.endsWithConnection(subscription.queue)) this.#subscriptions.delete(subscription);
    }
    this.#declared.connectionEnded();
  }

  #tell(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#options.logger.error('a listener for connections failed', { error });
    }
  }

  async #pause(ms: number): Promise<void> {
    try {
      await this.#options.clock.sleep(ms, this.#stop.signal);
    } catch {
      // Closed while it waited: the loop sees it.
    }
  }

  async #withLink(act: (link: Link) => Promise<void>, { publishes } = { publishes: false }): Promise<void> {
    if (this.#closing !== undefined && this.#stop.signal.aborted) throw closed();
    const deadline = this.#options.clock.monotonic() + this.#options.timeoutMs;
    for (;;) {
      const leftMs = deadline - this.#options.clock.monotonic();
      if (leftMs <= 0) throw unavailable();
      const link = this.#link ?? (await this.#nextLink(leftMs));
      if (publishes && link.blocked !== undefined) {
        // What is written now would pile up here, and arrive after its sender was told that it had not.
        await within(link.blocked, leftMs);
        continue;
      }
      try {
        return await within(act(link), leftMs);
      } catch (error) {
        if (!(error instanceof LinkLost)) throw error;
        await within(link.closed, Math.max(1, deadline - this.#options.clock.monotonic()));
      }
    }
  }

  #nextLink(leftMs: number): Promise<Link> {
    const { promise, resolve, reject } = Promise.withResolvers<Link>();
    this.#waiting.add(resolve);
    const stop = (): void => reject(closed());
    this.#stop.signal.addEventListener('abort', stop);
    const timer = setTimeout(() => reject(unavailable()), leftMs);
    return promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(resolve);
      this.#stop.signal.removeEventListener('abort', stop);
    });
  }
}

/** The outcome of `work`, or `BUS_UNAVAILABLE` after `ms`: a broker that is out of memory or disk answers nothing. */
function within(work: Promise<void>, ms: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(unavailable()), ms);
  work.then(resolve, reject);
  return promise.finally(() => clearTimeout(timer));
}

function unavailable(): TroveError {
  return new TroveError('BUS_UNAVAILABLE', 'The message bus is not available.', { retryable: true });
}

function closed(): TroveError {
  return new TroveError('BUS_UNAVAILABLE', 'The message bus has been closed.', { retryable: true });
}
