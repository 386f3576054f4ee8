import { formatTransportUrl, parseTransportUrl } from '../config/transport_url.ts';
import { TroveError } from '../errors.ts';
import type { Secret } from '../secret.ts';
import { loadTlsClient, type TlsClient, type TlsVersion } from './tls_client.ts';

/** `[oslo_messaging_rabbit]` as far as it is about TLS. */
export interface RabbitTlsSettings {
  readonly ssl: boolean;
  readonly ssl_version?: string | undefined;
  readonly ssl_ca_file?: string | undefined;
  readonly ssl_cert_file?: string | undefined;
  readonly ssl_key_file?: string | undefined;
}

const SECTION = '[oslo_messaging_rabbit]';
const NAMES = { ca: `${SECTION} ssl_ca_file`, cert: `${SECTION} ssl_cert_file`, key: `${SECTION} ssl_key_file` };

/** Python's names of what may be spoken: SSLv23 and TLS mean "whatever both have". */
const VERSIONS = new Map<string, TlsVersion>([
  ['TLS', 'TLSv1.2'],
  ['SSLV23', 'TLSv1.2'],
  ['TLSV1_2', 'TLSv1.2'],
  ['TLSV1_3', 'TLSv1.3'],
]);

/** The URL with TLS where `ssl = true` asks for it; a URL may also ask by itself. */
export function transportUrlWithTls(url: Secret, optionName: string, settings: RabbitTlsSettings): Secret {
  if (!settings.ssl) return url;
  return formatTransportUrl(parseTransportUrl(url, optionName, { tls: true }));
}

/** TLS towards the broker; undefined where none of these URLs has it. `CONFIG_INVALID` names setting and file. */
export function loadBrokerTls(settings: RabbitTlsSettings, urls: readonly Secret[]): TlsClient | undefined {
  if (!settings.ssl && !urls.some((url) => parseTransportUrl(url, 'transport_url').tls)) return undefined;
  const files = { ca: settings.ssl_ca_file, cert: settings.ssl_cert_file, key: settings.ssl_key_file };
  return loadTlsClient(files, NAMES, { minVersion: leastVersion(settings.ssl_version) });
}

function leastVersion(text: string | undefined): TlsVersion {
  if (text === undefined) return 'TLSv1.2';
  const version = VERSIONS.get(text.toUpperCase().replace('.', '_'));
  if (version !== undefined) return version;
  throw new TroveError(
    'CONFIG_INVALID',
    `${SECTION} ssl_version: TLSv1_2 and TLSv1_3 are the versions that are spoken here; older ones are not.`,
  );
}
