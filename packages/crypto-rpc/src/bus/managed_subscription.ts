import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, fullJitterMs, type Logger } from '@trove/common';
import type { ConsumeOptions, Delivery } from './bus.ts';
import type { Link, LinkConsumer } from './link.ts';

const BACKOFF_BASE_MS = 50;
const BACKOFF_CAP_MS = 5000;
/** A handler that hangs must not keep its process from stopping; what it holds goes back to the queue. */
const LONGEST_DRAIN_MS = 30_000;

interface Surroundings {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Declares the queue again as it was declared before, if it was. */
  readonly remake: (link: Link) => Promise<void>;
}

/** One consumer, carried from link to link, and over the end of its queue or channel. */
export class ManagedSubscription {
  readonly queue: string;
  readonly #options: ConsumeOptions;
  readonly #onDelivery: (delivery: Delivery) => Promise<void>;
  readonly #around: Surroundings;
  readonly #running = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #link: Link | undefined;
  #consumer: LinkConsumer | undefined;
  #attempt = 0;

  constructor(
    queue: string,
    options: ConsumeOptions,
    onDelivery: (delivery: Delivery) => Promise<void>,
    around: Surroundings,
  ) {
    this.queue = queue;
    this.#options = options;
    this.#onDelivery = onDelivery;
    this.#around = around;
  }

  /** Starts to consume over this link. A queue that refuses (missing, held by another) is tried again in the background. */
  async attach(link: Link): Promise<void> {
    this.#link = link;
    this.#attempt = 0;
    await this.#consume(link);
  }

  detach(): void {
    this.#link = undefined;
    this.#consumer = undefined;
  }

  async cancel(): Promise<void> {
    this.#stop.abort(new Error('subscription cancelled'));
    const consumer = this.#consumer;
    await consumer?.cancel();
    await Promise.race([Promise.all(this.#running), delay(LONGEST_DRAIN_MS, undefined, { ref: false })]);
    await consumer?.release();
  }

  async #consume(link: Link): Promise<void> {
    try {
      const consumer = await link.consume(this.queue, this.#options, this.#deliver, () => this.#ended(link));
      if (this.#stop.signal.aborted || this.#link !== link) {
        await consumer.release();
        return;
      }
      this.#consumer = consumer;
      this.#attempt = 0;
    } catch (error) {
      this.#around.logger.warn('queue does not let itself be consumed', { queue: this.queue, error });
      void this.#again(link);
    }
  }

  #ended(link: Link): void {
    this.#consumer = undefined;
    void this.#again(link);
  }

  async #again(link: Link): Promise<void> {
    try {
      const ms = fullJitterMs(this.#attempt, BACKOFF_BASE_MS, BACKOFF_CAP_MS);
      this.#attempt += 1;
      await this.#around.clock.sleep(ms, this.#stop.signal);
      if (this.#link !== link) return;
      await this.#around.remake(link);
    } catch (error) {
      if (this.#stop.signal.aborted || this.#link !== link) return;
      this.#around.logger.warn('queue could not be made again', { queue: this.queue, error });
    }
    if (!this.#stop.signal.aborted && this.#link === link) await this.#consume(link);
  }

  readonly #deliver = (delivery: Delivery): void => {
    const running = this.#handle(delivery);
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  };

  async #handle(delivery: Delivery): Promise<void> {
    try {
      await this.#onDelivery(delivery);
    } catch (error) {
      this.#around.logger.error('a consumer failed', { queue: this.queue, error });
      delivery.reject();
    }
  }
}
