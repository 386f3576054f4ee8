import { randomBytes } from 'node:crypto';
import { type Connection, createConnection } from 'mysql2/promise';

export interface TestDatabase {
  connection: { host: string; port: number; user: string; password: string; database: string };
  /** `mysql://user:password@host:port/database`. */
  url: string;
  /** Drops the database. */
  dispose(): Promise<void>;
}

/** An empty database of one's own on the server of `TROVE_TEST_MYSQL_URL`, whose account can make databases. */
export async function testDatabase(env: NodeJS.ProcessEnv = process.env): Promise<TestDatabase> {
  const text = env['TROVE_TEST_MYSQL_URL'];
  if (!text)
    throw new Error(
      'TROVE_TEST_MYSQL_URL is not set: run "npm test", or "node scripts/test_servers.ts" and what it prints',
    );
  const server = new URL(text);
  const database = `trove_test_${randomBytes(6).toString('hex')}`;
  await onServer(server, (connection) => connection.query(`CREATE DATABASE ${database}`));
  const url = new URL(server);
  url.pathname = `/${database}`;
  return {
    connection: {
      host: server.hostname,
      port: Number(server.port || 3306),
      user: decodeURIComponent(server.username),
      password: decodeURIComponent(server.password),
      database,
    },
    url: url.href,
    dispose: () => onServer(server, (connection) => connection.query(`DROP DATABASE IF EXISTS ${database}`)),
  };
}

async function onServer(server: URL, act: (connection: Connection) => Promise<unknown>): Promise<void> {
  const connection = await createConnection({ uri: server.href });
  try {
    await act(connection);
  } finally {
    await connection.end();
  }
}
