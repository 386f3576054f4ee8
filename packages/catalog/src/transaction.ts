import { setTimeout as delay } from 'node:timers/promises';
import { fullJitterMs, TroveError } from '@trove/common';
import type { Knex } from 'knex';
import type { Catalog } from './catalog.ts';
import { isTransient, isUnavailable } from './errors.ts';

const TRIES = 5;

/**
 * Thrown by work that misses rows which it has to lock, and which are to stay whatever becomes of the work: its transaction is
 * undone, `statement` writes them by itself, and the work runs again. Transactions that insert them on their own wait for each
 * other's, and deadlock where one takes them back.
 */
export class WriteFirst extends Error {
  override readonly name = 'WriteFirst';
  readonly statement: (knex: Knex) => PromiseLike<unknown>;

  constructor(message: string, statement: (knex: Knex) => PromiseLike<unknown>) {
    super(message);
    this.statement = statement;
  }
}

/**
 * Runs `work` in one transaction (READ COMMITTED on MySQL, BEGIN IMMEDIATE on SQLite) and runs it again as a whole on a
 * deadlock, a lock wait time-out, a busy file or `WriteFirst`: so it makes no outside call. Rejects with `CATALOG_UNAVAILABLE`
 * where the database cannot be reached or stays busy; whether a commit that was under way took place is then unknown.
 */
export async function withTransaction<T>(catalog: Catalog, work: (tx: Knex.Transaction) => Promise<T>): Promise<T> {
  for (let written: string | undefined; ; ) {
    try {
      return await tryAgain(() => catalog.knex.transaction(work));
    } catch (error) {
      if (!(error instanceof WriteFirst)) throw error;
      // Written and not seen: on a cluster the next connection may go to a node that does not have it yet.
      if (error.message === written) throw busy(error);
      await withStatement(catalog, error.statement);
      written = error.message;
    }
  }
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
      if (attempt >= TRIES) throw busy(error);
      await delay(fullJitterMs(attempt, 10, 500));
    }
  }
}

function busy(cause: unknown): TroveError {
  return new TroveError('CATALOG_UNAVAILABLE', 'The catalog is busy.', { cause, retryable: true });
}
