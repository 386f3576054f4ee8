import type { BindingSpec, ExchangeSpec, QueueSpec, Topology } from './bus.ts';

/** What a bus was told to declare and makes again at each connection. Exclusive queues and their bindings are not kept. */
export class Declared {
  readonly #exchanges = new Map<string, ExchangeSpec>();
  readonly #queues = new Map<string, QueueSpec>();
  readonly #bindings = new Map<string, BindingSpec>();
  readonly #passing = new Set<string>();

  add(topology: Topology): void {
    for (const exchange of topology.exchanges ?? []) this.#exchanges.set(exchange.name, exchange);
    for (const queue of topology.queues ?? []) {
      if (queue.exclusive === true) this.#passing.add(queue.name);
      else this.#queues.set(queue.name, queue);
    }
    for (const binding of topology.bindings ?? []) {
      if (this.#passing.has(binding.queue)) continue;
      this.#bindings.set(`${binding.exchange} ${binding.queue} ${binding.routingKey}`, binding);
    }
  }

  /** Whether the queue is exclusive to the connection that declared it. */
  endsWithConnection(queue: string): boolean {
    return this.#passing.has(queue);
  }

  connectionEnded(): void {
    this.#passing.clear();
  }

  forgetQueue(name: string): void {
    this.#passing.delete(name);
    this.#queues.delete(name);
    for (const [id, binding] of this.#bindings) if (binding.queue === name) this.#bindings.delete(id);
  }

  all(): Topology {
    return {
      exchanges: [...this.#exchanges.values()],
      queues: [...this.#queues.values()],
      bindings: [...this.#bindings.values()],
    };
  }

  /** A queue with its exchanges and bindings, as far as they were declared here. */
  ofQueue(name: string): Topology {
    const queue = this.#queues.get(name);
    const bindings = [...this.#bindings.values()].filter((binding) => binding.queue === name);
    const used = new Set(bindings.map((binding) => binding.exchange));
    const exchanges = [...this.#exchanges.values()].filter((exchange) => used.has(exchange.name));
    return { exchanges, queues: queue === undefined ? [] : [queue], bindings };
  }
}
