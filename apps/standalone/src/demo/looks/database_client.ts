import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import type { DatabaseLogin } from '../outside.ts';

/** Connects as any application would, and asks the server which database this is. */
export function currentDatabase(manager: string, login: DatabaseLogin): Promise<string> {
  return manager === 'postgresql' ? askPostgresql(login) : askMysql(login);
}

async function askPostgresql(login: DatabaseLogin): Promise<string> {
  const { address: host, port, user, password, database } = login;
  const client = new pg.Client({ host, port, user, password, database, connectionTimeoutMillis: 5000 });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>('select current_database() as name');
    return rows[0]?.name ?? '';
  } finally {
    await client.end();
  }
}

async function askMysql(login: DatabaseLogin): Promise<string> {
  const { address: host, port, user, password, database } = login;
  const connection = await createConnection({ host, port, user, password, database, connectTimeout: 5000 });
  try {
    const [rows] = await connection.query('select database() as name');
    return String((rows as { name: string }[])[0]?.name ?? '');
  } finally {
    await connection.end();
  }
}
