import { TroveError } from '@trove/common';
import type { Dialect } from '@trove/migrations';
import createKnex, { type Knex } from 'knex';
import { databaseTls, mysqlTls } from './database_tls.ts';
import { mysqlClient } from './mysql_client.ts';
import { NodeSqliteClient } from './sqlite_client.ts';

export interface CatalogOptions {
  /** `mysql://user:password@host:port/database` (Trove's `mysql+pymysql://` too), with TLS by `?ssl_ca=…`, or `sqlite:///path`. */
  connection: string;
  /** Connections at most; SQLite always has one. Default 10. */
  poolSize?: number;
  /** How long a query waits for a free connection. Default 20 s; tests take 2 s, so that a query outside its transaction shows. */
  acquireTimeoutMs?: number;
  /**
   * How long one statement may go without an answer before its connection is ended and it counts as `CATALOG_UNAVAILABLE`;
   * MySQL only. Absent: for ever, which is what migrations need.
   */
  statementTimeoutMs?: number;
}

export interface Catalog {
  readonly knex: Knex;
  readonly dialect: Dialect;
  close(): Promise<void>;
}

/**
 * The catalog as a service opens it: nothing that it asks waits for ever, whatever has become of the database. It connects
 * when it is first asked something. Throws `CONFIG_INVALID` for a URL that names none.
 */
export function openServiceCatalog(connection: string, limits: { acquireTimeoutMs: number }): Catalog {
  return openCatalog({ connection, ...limits, statementTimeoutMs: SERVICE_STATEMENT_MS });
}

const SERVICE_STATEMENT_MS = 10_000;
/** Below the statement's limit, so that waiting for a row is told as what it is and the transaction is run again. */
const LOCK_WAIT_S = 5;
/**
 * The server ends a connection that asked nothing for so long, a transaction's too: a worker that was stopped in one lets go
 * of its rows. No transaction makes an outside call, and the pool lets idle connections go earlier.
 */
const SILENT_SESSION_S = 30;
const IDLE_CONNECTION_MS = 10_000;
const CREATE_MS = 6000;
const DESTROY_MS = 2000;

/** Opens the catalog lazily: nothing is connected before the first query. Throws `CONFIG_INVALID` for a URL that names none. */
export function openCatalog(options: CatalogOptions): Catalog {
  const acquireConnectionTimeout = options.acquireTimeoutMs ?? 20_000;
  const sqliteFile = sqlitePath(options.connection);
  const knex =
    sqliteFile === undefined
      ? openMysql(options, acquireConnectionTimeout)
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

function openMysql(options: CatalogOptions, acquireConnectionTimeout: number): Knex {
  const { poolSize = 10, statementTimeoutMs } = options;
  const { connection, client } = mysqlConnection(options.connection, statementTimeoutMs);
  return createKnex({
    client,
    connection,
    pool: {
      min: 0,
      max: poolSize,
      afterCreate: prepareSession(statementTimeoutMs !== undefined),
      // A server that refuses is told to the caller at once, instead of being tried again until the acquire time-out.
      propagateCreateError: true,
      createTimeoutMillis: CREATE_MS,
      destroyTimeoutMillis: DESTROY_MS,
      idleTimeoutMillis: IDLE_CONNECTION_MS,
    },
    acquireConnectionTimeout,
    // Otherwise each error's message, and so the log, holds what was to be written: users' passwords in a task among it.
    compileSqlOnError: false,
    log: silent,
  });
}

interface MysqlConnection {
  readonly connection: Knex.MySql2ConnectionConfig;
  readonly client: typeof Knex.Client;
}

function mysqlConnection(url: string, statementTimeoutMs: number | undefined): MysqlConnection {
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
  return { connection, client: mysqlClient({ tls, where: { host, port }, statementTimeoutMs }) };
}

type SessionConnection = { query(sql: string, done: (error: Error | null) => void): void };

type Prepare = (
  connection: SessionConnection,
  done: (error: Error | null, connection: SessionConnection) => void,
) => void;

/** MySQL 8 and MariaDB name the isolation's variable differently; the statement they share. */
function prepareSession(isBounded: boolean): Prepare {
  const mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION';
  const bounds = isBounded ? `, innodb_lock_wait_timeout = ${LOCK_WAIT_S}, wait_timeout = ${SILENT_SESSION_S}` : '';
  return (connection, done) => {
    connection.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED', (isolationError) => {
      if (isolationError) return done(isolationError, connection);
      connection.query(`SET SESSION sql_mode = '${mode}', time_zone = '+00:00'${bounds}`, (error) =>
        done(error, connection),
      );
    });
  };
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
