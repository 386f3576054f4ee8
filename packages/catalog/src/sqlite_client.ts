import { createRequire } from 'node:module';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { randomFraction } from '@trove/common';
import type { Knex } from 'knex';
import { isTransient } from './errors.ts';

/** How long a statement waits for another handle's transaction to end. */
const BUSY_MS = 5000;

/** What knex hands to `_query`, and what its sqlite dialect reads from it afterwards. */
interface QueryObject {
  sql?: string;
  bindings?: readonly unknown[];
  response?: unknown;
  context?: { lastID: number | bigint; changes: number | bigint };
}

interface SqliteConnection {
  database: DatabaseSync;
}

interface ClientBase {
  connectionSettings: { filename: string };
}

interface TransactionBase {
  query(connection: unknown, sql: string): Promise<unknown>;
}

// knex ships these two without types and outside its main entry.
const load = createRequire(import.meta.url);
const BaseClient = load('knex/lib/dialects/better-sqlite3/index.js') as unknown as new (
  config: Knex.Config,
) => ClientBase;
const BaseTransaction = load('knex/lib/dialects/sqlite3/execution/sqlite-transaction.js') as unknown as new (
  ...args: readonly unknown[]
) => TransactionBase;

/** Takes the write lock at once: a transaction that reads and then writes waits its turn instead of failing half-way. */
class ImmediateTransaction extends BaseTransaction {
  begin(connection: unknown): Promise<unknown> {
    return this.query(connection, 'BEGIN IMMEDIATE;');
  }
}

/** knex over Node's own SQLite. One connection per pool, since SQLite has one writer. */
export class NodeSqliteClient extends BaseClient {
  _driver(): object {
    return { DatabaseSync };
  }

  transaction(container: unknown, config: unknown, outer: unknown): TransactionBase {
    return new ImmediateTransaction(this, container, config, outer);
  }

  async acquireRawConnection(): Promise<SqliteConnection> {
    const database = new DatabaseSync(this.connectionSettings.filename);
    // Before WAL: changing the journal mode needs a lock that another process may hold.
    database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    database.exec('PRAGMA journal_mode = WAL');
    // NORMAL would sync at checkpoints only: a power cut takes back requests that were answered as accepted.
    database.exec('PRAGMA synchronous = FULL');
    database.exec('PRAGMA foreign_keys = ON');
    // SQLite's own wait stops the whole process, also the one that it waits for: the rest is waited for in `_query`.
    database.exec('PRAGMA busy_timeout = 10');
    return { database };
  }

  async destroyRawConnection(connection: SqliteConnection): Promise<void> {
    connection.database.close();
  }

  async _query(connection: SqliteConnection, query: QueryObject): Promise<QueryObject> {
    if (query.sql === undefined || query.sql === '') throw new Error('the query is empty');
    const { database } = connection;
    for (const end = performance.now() + BUSY_MS; ; await delay(5 + randomFraction() * 20)) {
      try {
        return runStatement(database, query.sql, query);
      } catch (error) {
        if (database.isTransaction || !isTransient(error) || performance.now() > end) throw error;
      }
    }
  }
}

function runStatement(database: DatabaseSync, sql: string, query: QueryObject): QueryObject {
  const statement = database.prepare(sql);
  statement.setReadBigInts(true);
  const bindings = (query.bindings ?? []).map(toInput);
  if (statement.columns().length > 0) {
    query.response = statement.all(...bindings).map(toRow);
    return query;
  }
  const { changes, lastInsertRowid } = statement.run(...bindings);
  query.response = { changes: Number(changes), lastInsertRowid: Number(lastInsertRowid) };
  query.context = { lastID: Number(lastInsertRowid), changes: Number(changes) };
  return query;
}

function toInput(value: unknown): SQLInputValue {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Date) return value.toISOString().slice(0, 19).replace('T', ' ');
  if (value === undefined || value === null) return null;
  if (
    typeof value === 'number' ||
    typeof value === 'bigint' ||
    typeof value === 'string' ||
    value instanceof Uint8Array
  )
    return value;
  throw new TypeError('a value that SQLite cannot bind');
}

function toRow(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).map(([column, value]) => [column, fromOutput(value)]));
}

function fromOutput(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (typeof value !== 'bigint') return value;
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value.toString();
}
