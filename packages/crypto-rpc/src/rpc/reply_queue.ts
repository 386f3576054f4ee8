import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, TroveError } from '@trove/common';
import type { Bus, Delivery, Subscription, Topology } from '../bus/bus.ts';

const WAIT_MS = 5000;
const RETRY_MS = 1000;

export interface ReplyQueueOptions {
  readonly bus: Bus;
  readonly logger: Logger;
  /** A new random name for each connection. */
  readonly newName: () => string;
  /** The exclusive queue of this name, its first queue, with its binding. */
  readonly topology: (name: string) => Topology;
  readonly onDelivery: (delivery: Delivery) => Promise<void>;
}

/**
 * The queue on which a caller hears answers. Each connection gets a new one: the broker may not have noticed yet that the
 * old connection, and so the exclusive queue of the old name, is gone.
 */
export class ReplyQueue {
  readonly #options: ReplyQueueOptions;
  readonly #stop: () => void;
  readonly #waiting = new Set<(name: string) => void>();
  #name: string | undefined;
  /** Counts connections, so that the attempts of an ended one stop. */
  #connection = 0;
  #subscription: Subscription | undefined;

  constructor(options: ReplyQueueOptions) {
    this.#options = options;
    this.#stop = options.bus.onConnected(() => {
      this.#name = undefined;
      this.#connection += 1;
      void this.#open(this.#connection);
    });
  }

  /** The name under which answers arrive now; `BUS_UNAVAILABLE` where the broker has not made it within 5 s. */
  async name(): Promise<string> {
    const { state } = this.#options.bus;
    if (this.#name !== undefined && (state === 'connected' || state === 'blocked')) return this.#name;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(() => reject(unavailable()), WAIT_MS);
    this.#waiting.add(resolve);
    return promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(resolve);
    });
  }

  async close(): Promise<void> {
    this.#stop();
    this.#connection += 1;
    await this.#subscription?.cancel();
  }

  async #open(connection: number): Promise<void> {
    const name = this.#options.newName();
    const topology = this.#options.topology(name);
    const queue = topology.queues?.[0]?.name ?? name;
    try {
      await this.#options.bus.declare(topology);
      // Nobody else could take an answer that this process did not get to.
      const consumed = { prefetch: 0, noAck: true };
      const subscription = await this.#options.bus.consume(queue, consumed, this.#options.onDelivery);
      if (connection !== this.#connection) {
        await subscription.cancel();
        return;
      }
      this.#subscription = subscription;
      this.#name = name;
      for (const resolve of [...this.#waiting]) resolve(name);
    } catch (error) {
      this.#options.logger.warn('reply queue could not be made', { error });
      await delay(RETRY_MS, undefined, { ref: false });
      if (connection === this.#connection) await this.#open(connection);
    }
  }
}

function unavailable(): TroveError {
  return new TroveError('BUS_UNAVAILABLE', 'The message bus is not available.', { retryable: true });
}
