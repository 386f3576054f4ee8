import { createRequire } from 'node:module';
import type { Duplex } from 'node:stream';
import { type TlsClient, TroveError } from '@trove/common';
import type { Knex } from 'knex';
import { isWrongServer } from './errors.ts';

interface MysqlConnection {
  readonly stream: Duplex;
}

interface BaseClient {
  acquireRawConnection(): Promise<MysqlConnection>;
  destroyRawConnection(connection: MysqlConnection): Promise<void>;
  _query(connection: MysqlConnection, query: unknown): Promise<unknown>;
}

// knex ships it without types and outside its main entry.
const Base = createRequire(import.meta.url)('knex/lib/dialects/mysql2/index.js') as new (
  config: Knex.Config,
) => BaseClient;

export interface MysqlClientOptions {
  readonly tls: TlsClient | undefined;
  readonly where: { readonly host: string; readonly port: number };
  /** Undefined: a statement may take as long as it likes. */
  readonly statementTimeoutMs: number | undefined;
}

/**
 * knex's client for MySQL. It says of a connection that TLS refused why (`CATALOG_UNAVAILABLE`; its cause has host, file and
 * reason), and ends a connection on which a statement has had no answer in time, since nobody knows what becomes of it, and
 * one to a server that cannot be worked with.
 */
export function mysqlClient({ tls, where, statementTimeoutMs }: MysqlClientOptions): typeof Knex.Client {
  class MysqlClient extends Base {
    override async acquireRawConnection(): Promise<MysqlConnection> {
      try {
        return await super.acquireRawConnection();
      } catch (error) {
        const told = tls?.explain(error, where);
        if (told === undefined) throw error;
        // The reason names hosts and files: it is for the log and the operator, as the cause, and never for a tenant.
        const cause = new Error(told, { cause: error });
        throw new TroveError('CATALOG_UNAVAILABLE', 'The catalog cannot be reached.', { retryable: true, cause });
      }
    }

    override async _query(connection: MysqlConnection, query: unknown): Promise<unknown> {
      // The driver tells the statement, and the pool that the connection is none any more.
      const giveUp = (ms: number) => setTimeout(() => connection.stream.destroy(noAnswer(ms)), ms);
      const late = statementTimeoutMs === undefined ? undefined : giveUp(statementTimeoutMs);
      try {
        return await super._query(connection, query);
      } catch (error) {
        // The address may lead to another server by now, and a connection that stays in use would never find out.
        if (isWrongServer(error)) connection.stream.destroy();
        throw error;
      } finally {
        clearTimeout(late);
      }
    }

    override async destroyRawConnection(connection: MysqlConnection): Promise<void> {
      // A server that says nothing would never take the leave, and the socket would keep the process.
      const silent = setTimeout(() => connection.stream.destroy(), LEAVE_MS);
      try {
        await super.destroyRawConnection(connection);
      } finally {
        clearTimeout(silent);
      }
    }
  }
  return MysqlClient as unknown as typeof Knex.Client;
}

const LEAVE_MS = 1000;

function noAnswer(ms: number): Error {
  return Object.assign(new Error(`the database did not answer within ${ms} ms`), { code: 'ETIMEDOUT' });
}
