import { type Catalog, renewReconcilerTurn } from '@trove/catalog';
import type { Clock, Logger } from '@trove/common';
import { COMPUTE_TIMEOUT_MS } from '../tasks/shared/tools.ts';

/** Longer than any one act. */
export const LEASE_MS = 2 * COMPUTE_TIMEOUT_MS;
/** Two renewals may fail before the lease is over. */
const RENEW_MS = LEASE_MS / 3;

/** Why a run ends in its middle: another taskmanager may reconcile by now. */
export class LeaseLost extends Error {}

/** The lease of one run. It is renewed in the background until `stop()`, for a look at the world may take any time. */
export interface TurnLease {
  /** Aborted where the lease is lost, and when the taskmanager stops. */
  readonly signal: AbortSignal;
  /** Renews to the whole length. Rejects with `LeaseLost` where it is another's, or over. */
  renew(): Promise<void>;
  /** The result of `work`; rejects with the signal's reason as soon as that is aborted, and nobody waits for the work any more. */
  within<T>(work: Promise<T>): Promise<T>;
  stop(): void;
}

/** @param taken `askedAt`: of the monotonic clock, before the lease was taken; `signal`: the taskmanager stops */
export function keepTurnLease(
  { catalog, owner, clock, logger }: { catalog: Catalog; owner: string; clock: Clock; logger: Logger },
  taken: { readonly askedAt: number; readonly signal: AbortSignal },
): TurnLease {
  const lost = new AbortController();
  const stopped = new AbortController();
  const signal = AbortSignal.any([lost.signal, taken.signal]);
  let until = taken.askedAt + LEASE_MS;

  const renew = async (): Promise<void> => {
    lost.signal.throwIfAborted();
    const asked = clock.monotonic();
    if (!(await renewReconcilerTurn(catalog.knex, { owner, leaseMs: LEASE_MS }))) lost.abort(new LeaseLost());
    lost.signal.throwIfAborted();
    until = asked + LEASE_MS;
  };

  const keep = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(RENEW_MS, stopped.signal);
      try {
        await renew();
      } catch (error) {
        if (lost.signal.aborted) return;
        logger.warn('the lease for reconciling could not be renewed', { owner, error });
        if (clock.monotonic() >= until) lost.abort(new LeaseLost());
      }
    }
  };
  // It ends only by being stopped, or with the lease.
  void keep().catch(() => undefined);

  return {
    signal,
    renew,
    async within(work) {
      const given = Promise.withResolvers<never>();
      const giveUp = (): void => given.reject(signal.reason);
      signal.addEventListener('abort', giveUp, { once: true });
      try {
        if (signal.aborted) giveUp();
        return await Promise.race([given.promise, work]);
      } finally {
        signal.removeEventListener('abort', giveUp);
      }
    },
    stop: () => stopped.abort(),
  };
}
