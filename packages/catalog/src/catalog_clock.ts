import { type Clock, type Logger, systemClock } from '@trove/common';
import { toBigint } from './bigint.ts';
import type { Catalog } from './catalog.ts';
import { dbNow } from './database_time.ts';
import type { DatabaseBigint } from './tables.ts';

const EVERY_MS = 60_000;
/** An answer that took longer says too little about when it was given. */
const LONGEST_ANSWER_MS = 5000;

/** The catalog's time on this machine: counted on by the monotonic clock, so that setting the machine's time does not move it. */
export interface CatalogClock extends Clock {
  /** Asks the catalog now, and again every minute. Until it has answered, this is the machine's own time. Never rejects. */
  start(): Promise<void>;
  stop(): void;
}

export function createCatalogClock(catalog: Catalog, options: { clock?: Clock; logger: Logger }): CatalogClock {
  const clock = options.clock ?? systemClock;
  const stopping = new AbortController();
  let known: { readonly now: number; readonly at: number } | undefined;

  const ask = async (): Promise<void> => {
    const from = clock.monotonic();
    const { now }: { now: DatabaseBigint } = await catalog.knex.select({ now: dbNow(catalog.knex) }).first();
    const until = clock.monotonic();
    if (until - from > LONGEST_ANSWER_MS) return;
    known = { now: Number(toBigint(now) / 1000n), at: (from + until) / 2 };
  };
  const askQuietly = async (): Promise<void> => {
    try {
      await ask();
    } catch (error) {
      if (!stopping.signal.aborted) options.logger.warn("the catalog's time is not known", { error });
    }
  };
  const askAgain = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await clock.sleep(EVERY_MS, stopping.signal).catch(() => undefined);
      if (!stopping.signal.aborted) await askQuietly();
    }
  };

  return {
    now: () => (known === undefined ? clock.now() : Math.floor(known.now + clock.monotonic() - known.at)),
    monotonic: () => clock.monotonic(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    async start() {
      await askQuietly();
      void askAgain();
    },
    stop: () => stopping.abort(),
  };
}
