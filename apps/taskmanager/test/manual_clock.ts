import { once } from 'node:events';
import type { Clock } from '@trove/common';

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/** Time that stands still until it is moved on. */
export class ManualClock implements Clock {
  #now = 0;
  #sleepers: readonly Sleeper[] = [];

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const woken = Promise.withResolvers<void>();
    this.#sleepers = [...this.#sleepers, { until: this.#now + ms, wake: woken.resolve }];
    await Promise.race(signal === undefined ? [woken.promise] : [woken.promise, once(signal, 'abort')]);
    signal?.throwIfAborted();
  }

  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** Moves time on, and wakes whose time has come. */
  advance(ms: number): void {
    this.#now += ms;
    const due = this.#sleepers.filter(({ until }) => until <= this.#now);
    this.#sleepers = this.#sleepers.filter(({ until }) => until > this.#now);
    for (const { wake } of due) wake();
  }
}
