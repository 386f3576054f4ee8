import type { Knex } from 'knex';

export type Dialect = 'mysql' | 'sqlite';

/** Which database stands behind a knex instance or a transaction. */
export function dialectOf(executor: Knex): Dialect {
  const client: unknown = executor.client;
  const dialect: unknown = typeof client === 'object' && client !== null ? Reflect.get(client, 'dialect') : undefined;
  return dialect === 'sqlite3' ? 'sqlite' : 'mysql';
}
