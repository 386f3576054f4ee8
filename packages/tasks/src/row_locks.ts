import { dialectOf } from '@trove/catalog';
import type { Knex } from 'knex';

/** Locks the rows that the query reads. SQLite has one writer, so there the transaction itself is the lock. */
export function forUpdate<Query extends Knex.QueryBuilder>(tx: Knex.Transaction, query: Query): Query {
  if (dialectOf(tx) === 'mysql') query.forUpdate();
  return query;
}

/** The same, leaving out rows that another transaction holds. */
export function forUpdateSkipLocked<Query extends Knex.QueryBuilder>(tx: Knex.Transaction, query: Query): Query {
  if (dialectOf(tx) === 'mysql') query.forUpdate().skipLocked();
  return query;
}
