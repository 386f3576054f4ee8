interface Waiting<T> {
  readonly item: T;
  readonly done: () => void;
}

/**
 * Collects items and hands them over in batches: when `size` are there or `waitMs` after the first, one batch at a time,
 * while the next one collects.
 */
export class Batcher<T> {
  readonly #size: number;
  readonly #waitMs: number;
  readonly #onBatch: (batch: readonly T[]) => Promise<void>;
  #waiting: Waiting<T>[] = [];
  #timer: NodeJS.Timeout | undefined;
  #running = false;

  /** `onBatch` must not reject. */
  constructor(size: number, waitMs: number, onBatch: (batch: readonly T[]) => Promise<void>) {
    this.#size = size;
    this.#waitMs = waitMs;
    this.#onBatch = onBatch;
  }

  /** Resolves when the batch with this item has been handled. */
  add(item: T): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ item, done: resolve });
    if (this.#waiting.length >= this.#size) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), this.#waitMs);
    return promise;
  }

  /** Hands over what is there without waiting for more. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#size);
      await this.#onBatch(batch.map(({ item }) => item));
      for (const { done } of batch) done();
    }
    this.#running = false;
  }
}
