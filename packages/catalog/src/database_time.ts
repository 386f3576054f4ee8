import { dialectOf, microsecondsSql } from '@trove/migrations';
import type { Knex } from 'knex';

/**
 * The database's time in epoch microseconds, as an expression for a select, an insert or a WHERE: evaluated in the
 * statement itself. SQLite counts in milliseconds.
 */
export function dbNow(executor: Knex): Knex.Raw {
  return executor.raw(microsecondsSql(dialectOf(executor)));
}

/** The database's time for one of Trove's DATETIME columns: UTC, whole seconds. */
export function troveNow(executor: Knex): Knex.Raw {
  return executor.raw(dialectOf(executor) === 'mysql' ? 'UTC_TIMESTAMP()' : "datetime('now')");
}
