import { TroveError } from '../errors.ts';
import type { Secret } from '../secret.ts';

/** The two buses of a service; one URL where there is one for both. */
export interface BusUrls {
  readonly clear: Secret;
  readonly sealed: Secret;
}

/** `transport_url` and `sealed_transport_url`, by default the same. Throws `CONFIG_INVALID`. */
export function busUrls(defaults: {
  readonly transport_url: Secret | undefined;
  readonly sealed_transport_url: Secret | undefined;
}): BusUrls {
  const { transport_url: clear, sealed_transport_url: sealed } = defaults;
  if (clear === undefined) throw new TroveError('CONFIG_INVALID', '[DEFAULT] transport_url is not set.');
  return { clear, sealed: sealed ?? clear };
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
