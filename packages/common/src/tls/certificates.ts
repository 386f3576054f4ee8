import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** A certificate and its key, in PEM. The key is PKCS#8 without a passphrase. */
export interface CertifiedKey {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateWish {
  /** The subject's common name. */
  readonly name: string;
  readonly use: 'server' | 'client';
  /** Host names and addresses that a server certificate is for. */
  readonly hosts?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter: Date;
}

export interface CertificateAuthority extends CertifiedKey {
  issue(wish: CertificateWish): Promise<CertifiedKey>;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** For clocks that are a little behind. */
const EARLIER_MS = 60 * 60 * 1000;

cryptoProvider.set(webcrypto);

/** A new certificate authority of its own, on P-256. It is for trials: its key is as good as every certificate it gave. */
export async function createAuthority(options: { name: string; notAfter: Date }): Promise<CertificateAuthority> {
  const keys = await newKeys();
  const ca = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=${options.name}`,
    notBefore: new Date(Date.now() - EARLIER_MS),
    notAfter: options.notAfter,
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    cert: pemFile(ca.toString('pem')),
    key: await privatePem(keys.privateKey),
    async issue(wish) {
      const own = await newKeys();
      const certificate = await X509CertificateGenerator.create({
        serialNumber: serialNumber(),
        subject: `CN=${wish.name}`,
        issuer: ca.subject,
        notBefore: wish.notBefore ?? new Date(Date.now() - EARLIER_MS),
        notAfter: wish.notAfter,
        signingAlgorithm: ALGORITHM,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: await leafExtensions(wish, own.publicKey, keys.publicKey),
      });
      return { cert: pemFile(certificate.toString('pem')), key: await privatePem(own.privateKey) };
    },
  };
}

async function leafExtensions(
  wish: CertificateWish,
  own: webcrypto.CryptoKey,
  issuer: webcrypto.CryptoKey,
): Promise<Extension[]> {
  const use = wish.use === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth;
  const hosts = wish.hosts ?? [];
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([use]),
    await SubjectKeyIdentifierExtension.create(own),
    await AuthorityKeyIdentifierExtension.create(issuer),
    ...(hosts.length === 0 ? [] : [new SubjectAlternativeNameExtension(hosts.map(alternativeName))]),
  ];
}

function alternativeName(host: string): { type: 'ip' | 'dns'; value: string } {
  return { type: isIP(host) === 0 ? 'dns' : 'ip', value: host };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

/** 16 random bytes; the first bit is zero, since a serial number is positive. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

function pemFile(text: string): string {
  return `${text.trim()}\n`;
}
