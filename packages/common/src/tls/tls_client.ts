import { createSecureContext, type SecureContext } from 'node:tls';
import { TroveError } from '../errors.ts';
import { readAuthorities, readKeyPair, type TlsFileNames, type TlsFiles } from './pem_files.ts';
import { explainTlsFailure } from './tls_failure.ts';

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

/** What `tls.connect` takes beside host and port. Names are always verified. */
export interface TlsConnectOptions {
  readonly secureContext: SecureContext;
  readonly rejectUnauthorized: true;
  readonly minVersion: TlsVersion;
}

/** One side of TLS connections to servers whose authority stands in a file of the settings. */
export interface TlsClient {
  readonly connectOptions: TlsConnectOptions;
  /** The same as text, for a library that makes its own context. */
  readonly material: {
    readonly ca: string;
    readonly cert?: string;
    readonly key?: string;
    readonly minVersion: TlsVersion;
  };
  /** What a failed connection means, with host, file and reason; undefined where TLS was not why. */
  explain(error: unknown, where: { readonly host: string; readonly port: number }): string | undefined;
}

/**
 * Reads and checks the files. The authority is always an explicit file, of any size; the system's store is never asked.
 * `CONFIG_INVALID` names the setting and the file.
 */
export function loadTlsClient(
  files: TlsFiles,
  names: TlsFileNames,
  options: { readonly minVersion?: TlsVersion } = {},
): TlsClient {
  if (files.ca === undefined)
    throw new TroveError(
      'CONFIG_INVALID',
      `${names.ca} is not set: TLS needs the file of the authority that servers are checked against.`,
    );
  const ca = readAuthorities(files.ca, names.ca);
  const pair = files.cert === undefined && files.key === undefined ? {} : readKeyPair(files, names);
  const { minVersion = 'TLSv1.2' } = options;
  const material = { ca, ...pair, minVersion };
  return {
    connectOptions: { secureContext: createSecureContext(material), rejectUnauthorized: true, minVersion },
    material,
    explain: (error, where) => explainTlsFailure(error, where, files, names),
  };
}
