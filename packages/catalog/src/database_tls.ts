import { createRequire } from 'node:module';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { loadTlsClient, type TlsClient, TroveError } from '@trove/common';
import type { Knex } from 'knex';
import type { SslOptions } from 'mysql2';

const NAMES = {
  ca: '[database] connection ssl_ca',
  cert: '[database] connection ssl_cert',
  key: '[database] connection ssl_key',
};
const OFF = /^(0|false|no|off)$/i;

/**
 * TLS as SQLAlchemy's URLs ask for it: `?ssl_ca=…&ssl_cert=…&ssl_key=…`; undefined where they do not. `CONFIG_INVALID` for a
 * file that does not hold, and for a URL that would leave the server's name or authority unverified.
 */
export function databaseTls(query: URLSearchParams): TlsClient | undefined {
  const names = [...query.keys()].filter((name) => /^ssl(_|$)/.test(name));
  if (names.length === 0) return undefined;
  for (const name of ['ssl_check_hostname', 'ssl_verify_cert', 'ssl_verify_identity']) {
    const value = query.get(name);
    if (value !== null && OFF.test(value))
      throw new TroveError(
        'CONFIG_INVALID',
        `[database] connection: ${name} cannot be off, names are always verified.`,
      );
  }
  const file = (name: string): string | undefined => query.get(name) ?? undefined;
  return loadTlsClient({ ca: file('ssl_ca'), cert: file('ssl_cert'), key: file('ssl_key') }, NAMES);
}

/** What mysql2 takes for it: beside `ssl` a socket that remembers its host. */
export function mysqlTls(tls: TlsClient, host: string, port: number): { ssl: object; stream: () => Duplex } {
  return {
    ssl: { ...tls.material, rejectUnauthorized: true, verifyIdentity: true } satisfies SslOptions,
    stream: () => {
      const socket = connect({ host, port, noDelay: true, keepAlive: true });
      // mysql2 names no server where the host is an address, and Node would then verify the certificate for "localhost".
      return Object.assign(socket, { _host: host });
    },
  };
}

interface MysqlClient {
  acquireRawConnection(): Promise<unknown>;
}

/** knex's client for MySQL, which says of a connection that TLS refused why: `CATALOG_UNAVAILABLE`, its cause has host, file and reason. */
export function tlsMysqlClient(tls: TlsClient, where: { host: string; port: number }): typeof Knex.Client {
  // knex ships it without types and outside its main entry.
  const Base = createRequire(import.meta.url)('knex/lib/dialects/mysql2/index.js') as new (
    config: Knex.Config,
  ) => MysqlClient;
  class TlsMysqlClient extends Base {
    override async acquireRawConnection(): Promise<unknown> {
      try {
        return await super.acquireRawConnection();
      } catch (error) {
        const told = tls.explain(error, where);
        if (told === undefined) throw error;
        // The reason names hosts and files: it is for the log and the operator, as the cause, and never for a tenant.
        const cause = new Error(told, { cause: error });
        throw new TroveError('CATALOG_UNAVAILABLE', 'The catalog cannot be reached.', { retryable: true, cause });
      }
    }
  }
  return TlsMysqlClient as unknown as typeof Knex.Client;
}
