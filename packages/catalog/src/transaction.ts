import { setTimeout as delay } from 'node:timers/promises';
import { fullJitterMs, TroveError } from '@trove/common';
import type { Knex } from 'knex';
import type { Catalog } from './catalog.ts';
import { isTransient, isUnavailable } from './errors.ts';

const TRIES = 5;

/**
 * Runs `work` in one transaction (READ COMMITTED on MySQL, BEGIN IMMEDIATE on SQLite) and runs it again as a whole on a
 * deadlock, a lock wait time-out or a busy file: so it makes no outside call. Rejects with `CATALOG_UNAVAILABLE` where the
 * database cannot be reached or stays busy; whether a commit that was under way took place is then unknown.
 */
export async function withTransaction<T>(catalog: Catalog, work: (tx: Knex.Transaction) => Promise<T>): Promise<T> {
  return await tryAgain(() => catalog.knex.transaction(work));
}

/** As `withTransaction`, for work that is one statement: that is a transaction by itself, and takes one round trip. */
export async function withStatement<T>(catalog: Catalog, work: (knex: Knex) => PromiseLike<T>): Promise<T> {
  return await tryAgain(() => work(catalog.knex));
}

async function tryAgain<T>(work: () => PromiseLike<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (isUnavailable(error) && !isTransient(error)) {
        throw new TroveError('CATALOG_UNAVAILABLE', 'The catalog cannot be reached.', {
          cause: error,
          retryable: true,
        });
      }
      if (!isTransient(error)) throw error;
      if (attempt >= TRIES)
        throw new TroveError('CATALOG_UNAVAILABLE', 'The catalog is busy.', { cause: error, retryable: true });
      await delay(fullJitterMs(attempt, 10, 500));
    }
  }
}
