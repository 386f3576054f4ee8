import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { loadTlsClient, type TlsClient, TroveError } from '@trove/common';
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
