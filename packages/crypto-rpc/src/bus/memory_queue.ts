import type { Publication, QueueSpec } from './bus.ts';

/** A message as a queue holds it: bytes of its own, shared with nobody. */
export interface HeldMessage {
  readonly publication: Publication;
  readonly userId: string | undefined;
  redelivered: boolean;
  /** How often it came back. */
  returns: number;
  readonly expiresAt: number;
}

export interface QueueConsumer {
  readonly exclusive: boolean;
  readonly prefetch: number;
  readonly noAck: boolean;
  readonly unsettled: Set<HeldMessage>;
  readonly take: (message: HeldMessage) => void;
  readonly onEnded: () => void;
}

/** One queue: order, bounds, time to live, delivery limit, and its consumers in turn. */
export class MemoryQueue {
  readonly spec: QueueSpec;
  /** The connection of an exclusive queue. */
  readonly owner: object | undefined;
  readonly #deadLetter: (message: HeldMessage, queue: MemoryQueue) => void;
  readonly #now: () => number;
  readonly #consumers: QueueConsumer[] = [];
  #ready: HeldMessage[] = [];

  constructor(
    spec: QueueSpec,
    owner: object | undefined,
    now: () => number,
    deadLetter: (message: HeldMessage, queue: MemoryQueue) => void,
  ) {
    this.spec = spec;
    this.owner = owner;
    this.#now = now;
    this.#deadLetter = deadLetter;
  }

  /** False where the queue is full and refuses. */
  push(publication: Publication, userId: string | undefined): boolean {
    this.#dropExpired();
    const limit = this.#number('x-max-length');
    if (limit !== undefined && this.#ready.length >= limit) {
      if (this.spec.arguments?.['x-overflow'] === 'reject-publish') return false;
      const dropped = this.#ready.shift();
      if (dropped !== undefined) this.#deadLetter(dropped, this);
    }
    const ttl = Math.min(publication.expirationMs ?? Infinity, this.#number('x-message-ttl') ?? Infinity);
    const expiresAt = this.#now() + ttl;
    this.#ready.push({ publication, userId, redelivered: false, returns: 0, expiresAt });
    this.pump();
    return true;
  }

  /** False where another consumer's exclusiveness, or this one's, does not allow it. */
  addConsumer(consumer: QueueConsumer): boolean {
    const taken =
      this.#consumers.some((other) => other.exclusive) || (consumer.exclusive && this.#consumers.length > 0);
    if (taken) return false;
    this.#consumers.push(consumer);
    queueMicrotask(() => this.pump());
    return true;
  }

  /** Takes no more; what it holds stays with it. */
  removeConsumer(consumer: QueueConsumer): void {
    const index = this.#consumers.indexOf(consumer);
    if (index !== -1) this.#consumers.splice(index, 1);
  }

  /** Back to the front, in their order, for those that have deliveries left. */
  giveBack(messages: readonly HeldMessage[]): void {
    const limit = this.#number('x-delivery-limit');
    const kept: HeldMessage[] = [];
    for (const message of messages) {
      message.redelivered = true;
      message.returns += 1;
      if (limit !== undefined && message.returns > limit) this.#deadLetter(message, this);
      else kept.push(message);
    }
    this.#ready = [...kept, ...this.#ready];
    this.pump();
  }

  reject(message: HeldMessage): void {
    this.#deadLetter(message, this);
    this.pump();
  }

  end(): void {
    for (const consumer of this.#consumers.splice(0)) consumer.onEnded();
    this.#ready = [];
  }

  pump(): void {
    this.#dropExpired();
    for (;;) {
      const index = this.#consumers.findIndex(hasRoom);
      const consumer = this.#consumers[index];
      if (consumer === undefined) return;
      const message = this.#ready.shift();
      if (message === undefined) return;
      this.#consumers.push(...this.#consumers.splice(index, 1));
      if (!consumer.noAck) consumer.unsettled.add(message);
      consumer.take(message);
    }
  }

  #dropExpired(): void {
    const now = this.#now();
    if (!this.#ready.some((message) => message.expiresAt <= now)) return;
    const expired = this.#ready.filter((message) => message.expiresAt <= now);
    this.#ready = this.#ready.filter((message) => message.expiresAt > now);
    for (const message of expired) this.#deadLetter(message, this);
  }

  #number(name: string): number | undefined {
    const value = this.spec.arguments?.[name];
    return typeof value === 'number' ? value : undefined;
  }
}

function hasRoom(consumer: QueueConsumer): boolean {
  return consumer.noAck || consumer.unsettled.size < consumer.prefetch;
}
