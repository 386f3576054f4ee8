import type { SecureContextOptions } from 'node:tls';
import { readAuthorities, readKeyPair, type TlsFileNames } from './pem_files.ts';

/** `[ssl]` of oslo.service. */
export interface TlsServerSettings {
  readonly ca_file?: string | undefined;
  readonly cert_file?: string | undefined;
  readonly key_file?: string | undefined;
}

/** What `https.createServer` takes. */
export interface TlsServerOptions extends SecureContextOptions {
  readonly cert: string;
  readonly key: string;
  readonly minVersion: 'TLSv1.2';
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
}

const NAMES: TlsFileNames = { ca: '[ssl] ca_file', cert: '[ssl] cert_file', key: '[ssl] key_file' };

/**
 * How a service listens by `[ssl]`: in clear where nothing is set; with `ca_file` only clients that have a certificate of
 * that authority are let in. `CONFIG_INVALID` names the setting and the file.
 */
export function loadTlsServer(settings: TlsServerSettings): TlsServerOptions | undefined {
  const files = { ca: settings.ca_file, cert: settings.cert_file, key: settings.key_file };
  if (files.ca === undefined && files.cert === undefined && files.key === undefined) return undefined;
  const pair = readKeyPair(files, NAMES);
  const withClients = files.ca !== undefined;
  return {
    ...pair,
    minVersion: 'TLSv1.2',
    requestCert: withClients,
    rejectUnauthorized: withClients,
    ...(files.ca === undefined ? {} : { ca: readAuthorities(files.ca, NAMES.ca) }),
  };
}
