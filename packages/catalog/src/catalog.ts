import { TroveError } from '@trove/common';
import type { Dialect } from '@trove/migrations';
import createKnex, { type Knex } from 'knex';
import { databaseTls, mysqlTls, tlsMysqlClient } from './database_tls.ts';
import { NodeSqliteClient } from './sqlite_client.ts';

export interface CatalogOptions {
  /** `mysql://user:password@host:port/database` (Trove's `mysql+pymysql://` too), with TLS by `?ssl_ca=…`, or `sqlite:///path`. */
  connection: string;
  /** Connections at most; SQLite always has one. Default 10. */
  poolSize?: number;
  /** How long a query waits for a free connection. Default 20 s; tests take 2 s, so that a query outside its transaction shows. */
  acquireTimeoutMs?: number;
}

export interface Catalog {
  readonly knex: Knex;
  readonly dialect: Dialect;
  close(): Promise<void>;
}

/** Opens the catalog lazily: nothing is connected before the first query. Throws `CONFIG_INVALID` for a URL that names none. */
export function openCatalog(options: CatalogOptions): Catalog {
  const acquireConnectionTimeout = options.acquireTimeoutMs ?? 20_000;
  const sqliteFile = sqlitePath(options.connection);
  const knex =
    sqliteFile === undefined
      ? openMysql(options.connection, options.poolSize ?? 10, acquireConnectionTimeout)
      : createKnex({
          client: NodeSqliteClient as unknown as typeof Knex.Client,
          connection: { filename: sqliteFile },
          useNullAsDefault: true,
          pool: { min: 1, max: 1 },
          acquireConnectionTimeout,
          compileSqlOnError: false,
          log: silent,
        });
  return { knex, dialect: sqliteFile === undefined ? 'mysql' : 'sqlite', close: () => knex.destroy() };
}

/** knex prints what it also throws, on its own and with SQL in it. */
const silent: Knex.Logger = {
  warn: () => undefined,
  error: () => undefined,
  deprecate: () => undefined,
  debug: () => undefined,
};

function openMysql(url: string, poolSize: number, acquireConnectionTimeout: number): Knex {
  const { connection, client } = mysqlConnection(url);
  return createKnex({
    client,
    connection,
    // A server that refuses is told to the caller at once, instead of being tried again until the acquire time-out.
    pool: { min: 0, max: poolSize, afterCreate: prepareSession, propagateCreateError: true },
    acquireConnectionTimeout,
    // Otherwise each error's message, and so the log, holds what was to be written: users' passwords in a task among it.
    compileSqlOnError: false,
    log: silent,
  });
}

interface MysqlConnection {
  readonly connection: Knex.MySql2ConnectionConfig;
  readonly client: string | typeof Knex.Client;
}

function mysqlConnection(url: string): MysqlConnection {
  const parsed = URL.parse(url.replace(/^mysql(\+\w+)?:/, 'mysql:'));
  if (parsed?.protocol !== 'mysql:' || parsed.hostname === '' || parsed.pathname.length < 2) {
    throw new TroveError(
      'CONFIG_INVALID',
      '[database] connection is neither mysql://user:password@host/database nor sqlite:///path',
    );
  }
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  const port = parsed.port === '' ? 3306 : Number(parsed.port);
  const tls = databaseTls(parsed.searchParams);
  const connection = {
    ...(tls === undefined ? {} : mysqlTls(tls, host, port)),
    host,
    port,
    user: decodeURIComponent(parsed.username),
    password: decodeURIComponent(parsed.password),
    database: decodeURIComponent(parsed.pathname.slice(1)),
    charset: 'utf8mb4',
    timezone: 'Z',
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    connectTimeout: 5000,
  };
  return { connection, client: tls === undefined ? 'mysql2' : tlsMysqlClient(tls, { host, port }) };
}

type SessionConnection = { query(sql: string, done: (error: Error | null) => void): void };

/** MySQL 8 and MariaDB name the isolation's variable differently; the statement they share. */
function prepareSession(
  connection: SessionConnection,
  done: (error: Error | null, connection: SessionConnection) => void,
): void {
  connection.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED', (isolationError) => {
    if (isolationError) return done(isolationError, connection);
    const mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION';
    connection.query(`SET SESSION sql_mode = '${mode}', time_zone = '+00:00'`, (error) => done(error, connection));
  });
}

function sqlitePath(connection: string): string | undefined {
  const match = /^sqlite:\/\/(\/.*)?$/.exec(connection);
  if (!match) return undefined;
  const path = (match[1] ?? '').slice(1);
  if (path === '')
    throw new TroveError(
      'CONFIG_INVALID',
      '[database] connection: sqlite needs a path, as in sqlite:////var/lib/trove/catalog.sqlite',
    );
  return path;
}
