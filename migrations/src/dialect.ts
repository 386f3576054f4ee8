import type { Knex } from 'knex';

export type Dialect = 'mysql' | 'sqlite';

/** Which database stands behind a knex instance or a transaction. */
export function dialectOf(executor: Knex): Dialect {
  const client: unknown = executor.client;
  const dialect: unknown = typeof client === 'object' && client !== null ? Reflect.get(client, 'dialect') : undefined;
  return dialect === 'sqlite3' ? 'sqlite' : 'mysql';
}

/** SQL for the database's time in epoch microseconds, evaluated in the statement that holds it. SQLite counts in milliseconds. */
export function microsecondsSql(dialect: Dialect): string {
  return dialect === 'mysql'
    ? "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6))"
    : "(CAST(strftime('%s', 'now') AS INTEGER) * 1000000 + CAST(substr(strftime('%f', 'now'), 4, 3) AS INTEGER) * 1000)";
}

/** The rows of a raw select, which the drivers wrap differently. */
export async function selectRows(
  executor: Knex,
  sql: string,
  bindings: readonly Knex.RawBinding[] = [],
): Promise<Record<string, unknown>[]> {
  const answer: unknown = await executor.raw(sql, [...bindings]);
  const rows: unknown = dialectOf(executor) === 'mysql' && Array.isArray(answer) ? answer[0] : answer;
  return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
}
