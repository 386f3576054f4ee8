import type { Knex } from 'knex';
import { dialectOf } from './dialect.ts';

/**
 * The database's time in epoch microseconds, as an expression for a select, an insert or a WHERE: evaluated in the
 * statement itself. SQLite counts in milliseconds.
 */
export function dbNow(executor: Knex): Knex.Raw {
  return executor.raw(
    dialectOf(executor) === 'mysql'
      ? "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6))"
      : "(CAST(strftime('%s', 'now') AS INTEGER) * 1000000 + CAST(substr(strftime('%f', 'now'), 4, 3) AS INTEGER) * 1000)",
  );
}

/** The database's time for one of Trove's DATETIME columns: UTC, whole seconds. */
export function troveNow(executor: Knex): Knex.Raw {
  return executor.raw(dialectOf(executor) === 'mysql' ? 'UTC_TIMESTAMP()' : "datetime('now')");
}
