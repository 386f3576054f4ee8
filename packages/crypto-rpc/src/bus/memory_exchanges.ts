import { TroveError } from '@trove/common';
import type { BindingSpec, Publication, QueueSpec, Topology } from './bus.ts';
import { type HeldMessage, MemoryQueue } from './memory_queue.ts';
import type { TappedMessage } from './options.ts';
import { topicMatches } from './topic_match.ts';

interface Exchange {
  readonly type: 'direct' | 'topic' | 'fanout';
  readonly durable: boolean;
  readonly bindings: BindingSpec[];
}

/** Exchanges, queues and the ways between them. */
export class MemoryExchanges {
  readonly #exchanges = new Map<string, Exchange>();
  readonly #queues = new Map<string, MemoryQueue>();
  readonly taps = new Set<(message: TappedMessage) => void>();
  readonly now = (): number => performance.now();

  declare(topology: Topology, connection: object): void {
    for (const { name, type, durable } of topology.exchanges ?? []) {
      const known = this.#exchanges.get(name);
      if (known === undefined) this.#exchanges.set(name, { type, durable, bindings: [] });
      else if (known.type !== type || known.durable !== durable)
        throw refused('The exchange is there already, and differs.');
    }
    for (const queue of topology.queues ?? []) this.#declareQueue(queue, connection);
    for (const binding of topology.bindings ?? []) this.#bind(binding);
  }

  publish(publication: Publication, userId: string | undefined): void {
    const { exchange, routingKey } = publication;
    const copy = { ...publication, body: Buffer.from(publication.body) };
    this.#tapped(copy, userId);
    const known = exchange === '' ? this.#defaultExchange(routingKey) : this.#exchanges.get(exchange);
    if (known === undefined) throw refused('The broker has no such exchange.');
    const queues = this.#reached(known, routingKey);
    if (queues.length === 0 && publication.mandatory) throw refused('Nobody takes this message.');
    const taken = queues.map((queue) => queue.push(copy, userId));
    if (taken.includes(false)) throw new TroveError('RPC_REFUSED', 'The queue is full.', { retryable: true });
  }

  queue(name: string, connection: object): MemoryQueue {
    const queue = this.#queues.get(name);
    if (queue === undefined) throw refused('The broker has no such queue.');
    if (queue.owner !== undefined && queue.owner !== connection)
      throw refused('The queue belongs to another connection.');
    return queue;
  }

  hasQueue(name: string): boolean {
    return this.#queues.has(name);
  }

  queueNames(): readonly string[] {
    return [...this.#queues.keys()];
  }

  deleteQueue(name: string): void {
    const queue = this.#queues.get(name);
    this.#queues.delete(name);
    for (const exchange of this.#exchanges.values()) {
      const kept = exchange.bindings.filter((binding) => binding.queue !== name);
      exchange.bindings.splice(0, exchange.bindings.length, ...kept);
    }
    queue?.end();
  }

  /** The exclusive queues of a connection end with it. */
  forget(connection: object): void {
    for (const [name, queue] of this.#queues) if (queue.owner === connection) this.deleteQueue(name);
  }

  #declareQueue(spec: QueueSpec, connection: object): void {
    const known = this.#queues.get(spec.name);
    if (known !== undefined) {
      this.queue(spec.name, connection);
      const same = known.spec.durable === spec.durable && sameArguments(known.spec, spec);
      if (!same) throw refused('The queue is there already, and differs.');
      return;
    }
    const owner = spec.exclusive === true ? connection : undefined;
    this.#queues.set(
      spec.name,
      new MemoryQueue(spec, owner, this.now, (message, queue) => this.#deadLetter(message, queue)),
    );
  }

  #bind(binding: BindingSpec): void {
    const exchange = this.#exchanges.get(binding.exchange);
    if (exchange === undefined || !this.#queues.has(binding.queue)) throw refused('There is nothing to bind.');
    const known = exchange.bindings.some(
      (other) => other.queue === binding.queue && other.routingKey === binding.routingKey,
    );
    if (!known) exchange.bindings.push(binding);
  }

  #defaultExchange(routingKey: string): Exchange {
    const bindings = this.#queues.has(routingKey) ? [{ exchange: '', queue: routingKey, routingKey }] : [];
    return { type: 'direct', durable: true, bindings };
  }

  #reached(exchange: Exchange, routingKey: string): MemoryQueue[] {
    const names = new Set<string>();
    for (const binding of exchange.bindings) if (matches(exchange, binding, routingKey)) names.add(binding.queue);
    return [...names].flatMap((name) => this.#queues.get(name) ?? []);
  }

  #deadLetter(message: HeldMessage, from: MemoryQueue): void {
    const exchange = from.spec.arguments?.['x-dead-letter-exchange'];
    const routingKey = from.spec.arguments?.['x-dead-letter-routing-key'];
    const known = typeof exchange === 'string' ? this.#exchanges.get(exchange) : undefined;
    if (known === undefined || typeof exchange !== 'string') return;
    const key = typeof routingKey === 'string' ? routingKey : message.publication.routingKey;
    const { expirationMs: _expired, ...publication } = message.publication;
    for (const queue of this.#reached(known, key)) {
      queue.push({ ...publication, exchange, routingKey: key }, message.userId);
    }
  }

  #tapped(publication: Publication, userId: string | undefined): void {
    const { exchange, routingKey, body, contentType } = publication;
    for (const tap of this.taps) tap({ exchange, routingKey, body: Buffer.from(body), contentType, userId });
  }
}

function matches(exchange: Exchange, binding: BindingSpec, routingKey: string): boolean {
  if (exchange.type === 'fanout') return true;
  return exchange.type === 'direct' ? binding.routingKey === routingKey : topicMatches(binding.routingKey, routingKey);
}

function sameArguments(one: QueueSpec, other: QueueSpec): boolean {
  const [first, second] = [one.arguments ?? {}, other.arguments ?? {}];
  const names = Object.keys({ ...first, ...second });
  return names.every((name) => first[name] === second[name]);
}

function refused(message: string): TroveError {
  return new TroveError('RPC_REFUSED', message);
}
