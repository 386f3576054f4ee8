import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { TroveError } from '../errors.ts';

/** How the settings are called that name the files: what a message begins with, such as `[ssl] cert_file`. */
export interface TlsFileNames {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Files in PEM as the settings name them. */
export interface TlsFiles {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const READ_BY_OTHERS = 0o007;

/** The authorities in a file, of any number. `CONFIG_INVALID` where there is none, or none that is still valid. */
export function readAuthorities(file: string, setting: string): string {
  const certificates = certificatesIn(file, setting);
  if (certificates.every((certificate) => certificate.validToDate.getTime() < Date.now()))
    throw invalid(setting, file, `expired on ${dayOf(certificates[0])}`);
  return certificates.map(String).join('');
}

/** A certificate with its chain, and its key: that they belong together, and that it is valid now. */
export function readKeyPair(files: TlsFiles, names: TlsFileNames): { readonly cert: string; readonly key: string } {
  const { cert: certFile, key: keyFile } = files;
  if (certFile === undefined || keyFile === undefined) {
    const [missing, given] = certFile === undefined ? [names.cert, names.key] : [names.key, names.cert];
    throw new TroveError('CONFIG_INVALID', `${missing} is not set, and ${given} is: a certificate goes with its key.`);
  }
  const certificates = certificatesIn(certFile, names.cert);
  const [own] = certificates;
  const { key, text } = readPrivateKey(keyFile, names.key);
  if (own?.checkPrivateKey(key) !== true)
    throw invalid(names.cert, certFile, `does not belong to the key in ${keyFile}`);
  if (own.validToDate.getTime() < Date.now()) throw invalid(names.cert, certFile, `expired on ${dayOf(own)}`);
  return { cert: certificates.map(String).join(''), key: text };
}

function certificatesIn(file: string, setting: string): X509Certificate[] {
  const blocks = readText(file, setting).match(CERTIFICATE) ?? [];
  if (blocks.length === 0) throw invalid(setting, file, 'holds no certificate in PEM');
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw invalid(setting, file, 'holds a certificate that cannot be read');
    }
  });
}

function readPrivateKey(file: string, setting: string): { key: KeyObject; text: string } {
  const text = readText(file, setting);
  if ((statSync(file).mode & READ_BY_OTHERS) !== 0)
    throw invalid(setting, file, 'may be read or written by everyone: chmod o= it');
  try {
    return { key: createPrivateKey(text), text };
  } catch (error) {
    const encrypted = error instanceof Error && 'code' in error && error.code === 'ERR_MISSING_PASSPHRASE';
    throw invalid(setting, file, encrypted ? 'is under a passphrase' : 'holds no private key in PEM');
  }
}

function readText(file: string, setting: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'error';
    throw invalid(setting, file, `cannot be read (${reason})`);
  }
}

function dayOf(certificate: X509Certificate | undefined): string {
  return certificate?.validToDate.toISOString().slice(0, 10) ?? 'an unknown day';
}

function invalid(setting: string, file: string, why: string): TroveError {
  return new TroveError('CONFIG_INVALID', `${setting}: ${file} ${why}.`);
}
