import { TroveError } from '../errors.ts';
import type { Secret } from '../secret.ts';
import { type RabbitTlsSettings, transportUrlWithTls } from '../tls/broker_tls.ts';

/** The two buses of a service; one URL where there is one for both. */
export interface BusUrls {
  readonly clear: Secret;
  readonly sealed: Secret;
}

/** `transport_url` and `sealed_transport_url`, by default the same, with TLS where `rabbit` asks for it. Throws `CONFIG_INVALID`. */
export function busUrls(
  defaults: { readonly transport_url: Secret | undefined; readonly sealed_transport_url: Secret | undefined },
  rabbit: RabbitTlsSettings,
): BusUrls {
  if (defaults.transport_url === undefined)
    throw new TroveError('CONFIG_INVALID', '[DEFAULT] transport_url is not set.');
  const clear = transportUrlWithTls(defaults.transport_url, 'transport_url', rabbit);
  if (defaults.sealed_transport_url === undefined) return { clear, sealed: clear };
  return { clear, sealed: transportUrlWithTls(defaults.sealed_transport_url, 'sealed_transport_url', rabbit) };
}

/** The catalog of a service that shares it with others, so never SQLite. Throws `CONFIG_INVALID`. */
export function sharedCatalogUrl({
  database,
}: {
  readonly database: { readonly connection: Secret | undefined };
}): string {
  const url = database.connection?.reveal();
  if (url === undefined) throw new TroveError('CONFIG_INVALID', '[database] connection is not set.');
  if (url.startsWith('sqlite:')) {
    throw new TroveError(
      'CONFIG_INVALID',
      '[database] connection: SQLite has one writer at a time and is for trove-standalone only; give a mysql:// URL.',
    );
  }
  return url;
}
