export interface PendingCall<Extra> {
  readonly extra: Extra;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly timeout: () => Error;
}

/** Calls that wait for an answer, by message id. Each ends once: answered, timed out, aborted, or given up. */
export class PendingCalls<Extra> {
  readonly #calls = new Map<string, PendingCall<Extra>>();

  get(id: string): PendingCall<Extra> | undefined {
    return this.#calls.get(id);
  }

  /**
   * Waits for the answer to `id`, from before `send` runs: it may arrive before the broker has confirmed the request.
   * @param timeout the error after `deadlineMs`
   */
  async wait(
    id: string,
    extra: Extra,
    limits: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined; readonly timeout: () => Error },
    send: () => Promise<void>,
  ): Promise<unknown> {
    limits.signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#calls.set(id, { extra, resolve, reject, timeout: limits.timeout });
    const timer = setTimeout(() => reject(limits.timeout()), limits.deadlineMs);
    const abort = (): void => reject(limits.signal?.reason);
    limits.signal?.addEventListener('abort', abort, { once: true });
    send().catch(reject);
    try {
      return await promise;
    } finally {
      this.#calls.delete(id);
      clearTimeout(timer);
      limits.signal?.removeEventListener('abort', abort);
    }
  }

  /** What was asked may take effect all the same: each ends as if its time were over. */
  giveUp(): void {
    for (const call of this.#calls.values()) call.reject(call.timeout());
  }
}
