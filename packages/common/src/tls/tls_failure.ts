import type { TlsFileNames, TlsFiles } from './pem_files.ts';

const UNKNOWN_AUTHORITY = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
]);
const OLD_PROTOCOL = /UNSUPPORTED_PROTOCOL|ALERT_PROTOCOL_VERSION|VERSION_TOO_LOW/;
const OWN_REFUSED =
  /ALERT_(CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_|UNSUPPORTED_CERT)/;
/** In TLS 1.3 a server looks at the client's certificate after the client is done; some then say nothing. */
const HUNG_UP = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** The failure in an operator's words: which server, why, and which file of the settings decided. */
export function explainTlsFailure(
  error: unknown,
  where: { readonly host: string; readonly port: number },
  files: TlsFiles,
  names: TlsFileNames,
): string | undefined {
  for (const link of causes(error)) {
    const reason = reasonOf(link, where.host, files, names);
    if (reason !== undefined) return `TLS with ${where.host}:${where.port} failed: ${reason}.`;
  }
  return undefined;
}

function reasonOf(error: Error, host: string, files: TlsFiles, names: TlsFileNames): string | undefined {
  const code = codeOf(error);
  const authority = `${names.ca} = ${files.ca ?? 'unset'}`;
  if (code === 'CERT_HAS_EXPIRED') return `the server's certificate has expired (checked against ${authority})`;
  if (code === 'CERT_NOT_YET_VALID') return `the server's certificate is not valid yet (checked against ${authority})`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `the server's certificate is not for ${host}${namesIn(error)} (checked against ${authority})`;
  if (code === 'INVALID_PURPOSE')
    return `the server's certificate is not one for servers (checked against ${authority})`;
  if (UNKNOWN_AUTHORITY.has(code)) return `the server's certificate is from no authority in ${authority}`;
  if (OLD_PROTOCOL.test(code)) return 'the server speaks no version that is accepted here, TLS 1.2 or later';
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') return 'the server does not speak TLS on this port';
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT') return 'the server offers no TLS';
  if (OWN_REFUSED.test(code)) return ownRefused(files, names);
  if (HUNG_UP.has(code))
    return `the server hung up, as one does that misses a client certificate (${ownOf(files, names)})`;
  return undefined;
}

function ownRefused(files: TlsFiles, names: TlsFileNames): string {
  return files.cert === undefined
    ? `the server wants a client certificate, and ${names.cert} is not set`
    : `the server refused the client certificate of ${names.cert} = ${files.cert}`;
}

function ownOf(files: TlsFiles, names: TlsFileNames): string {
  return `${names.cert} ${files.cert === undefined ? 'is not set' : `= ${files.cert}`}`;
}

/** Whom it is for instead: a certificate's names are public. */
function namesIn(error: Error): string {
  const certificate: unknown = Reflect.get(error, 'cert');
  if (typeof certificate !== 'object' || certificate === null) return '';
  const names: unknown = Reflect.get(certificate, 'subjectaltname');
  return typeof names === 'string' ? `, but for ${names}` : '';
}

function* causes(error: unknown): Generator<Error> {
  for (let link = error, depth = 0; link instanceof Error && depth < 8; link = link.cause, depth += 1) yield link;
}

function codeOf(error: Error): string {
  const code: unknown = Reflect.get(error, 'code');
  if (code !== 'HANDSHAKE_SSL_ERROR') return typeof code === 'string' ? code : '';
  // mysql2 writes its own code over Node's; what else Node and OpenSSL say is left.
  if ('cert' in error && 'host' in error) return 'ERR_TLS_CERT_ALTNAME_INVALID';
  const reason: unknown = Reflect.get(error, 'reason');
  if (typeof reason === 'string') return `ERR_SSL_${reason.toUpperCase().replaceAll(' ', '_')}`;
  return VERIFICATION_TEXTS.find(([text]) => text.test(error.message))?.[1] ?? '';
}

/** OpenSSL's texts for a certificate that does not verify. */
const VERIFICATION_TEXTS: readonly (readonly [RegExp, string])[] = [
  [/certificate has expired/, 'CERT_HAS_EXPIRED'],
  [/not yet valid/, 'CERT_NOT_YET_VALID'],
  [/certificate purpose/, 'INVALID_PURPOSE'],
  [/self.signed|unable to (verify|get)|signature failure/, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
];
