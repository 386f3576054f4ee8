import { createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { hkdfSha256, Secret, TroveError } from '@trove/common';

const LENGTH = 32;
const OKM_LENGTH = 256;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** The greatest multiple of 62 below 256: bytes from here on would prefer some characters. */
const UNBIASED = 248;

/** One side's part in agreeing on a key, for one attempt. */
export interface KeyPair {
  /** 32 bytes. */
  readonly public: Buffer;
  readonly privateKey: KeyObject;
}

/** Who said what; `oldKey` is the text of the key that the agreement is made under. */
export interface Agreement {
  readonly version: number;
  readonly oldKey: string;
  /** The public keys, 32 bytes each. */
  readonly taskmanager: Buffer;
  readonly guest: Buffer;
}

/** A fresh X25519 pair. */
export function newKeyPair(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  return { public: Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url'), privateKey };
}

/**
 * Ki of the next version, 32 characters of `[A-Za-z0-9]`: the same on both sides, told by neither. Throws `GUEST_ERROR`
 * for a public key of the other side that gives the all-zero secret, whatever the own key is.
 */
export function agreedKey(own: KeyPair, other: Buffer, agreement: Agreement): Secret {
  const { version, oldKey, taskmanager, guest } = agreement;
  const shared = sharedSecret(own.privateKey, other);
  const versionBytes = Buffer.alloc(4);
  versionBytes.writeUInt32BE(version);
  const ikm = Buffer.concat([shared, Buffer.from(oldKey, 'utf8')]);
  const okm = hkdfSha256(ikm, 'trove-rotate', Buffer.concat([versionBytes, taskmanager, guest]), OKM_LENGTH);
  return new Secret(lettersAndDigits(okm));
}

/** The password of the guest's broker account that goes with an agreed Ki: 43 characters, told by nobody either. */
export function brokerPassword(instanceKey: string): Secret {
  return new Secret(hkdfSha256(instanceKey, 'trove-broker', 'password', 32).toString('base64url'));
}

function sharedSecret(privateKey: KeyObject, publicKey: Buffer): Buffer {
  const jwk = { kty: 'OKP', crv: 'X25519', x: publicKey.toString('base64url') };
  let shared: Buffer;
  try {
    shared = diffieHellman({ privateKey, publicKey: createPublicKey({ key: jwk, format: 'jwk' }) });
  } catch (error) {
    // OpenSSL refuses the all-zero secret by itself.
    throw refused(error);
  }
  if (shared.every((byte) => byte === 0)) throw refused();
  return shared;
}

function lettersAndDigits(okm: Buffer): string {
  const characters = [...okm].filter((byte) => byte < UNBIASED).slice(0, LENGTH);
  if (characters.length < LENGTH) throw new TroveError('INTERNAL', 'The key material is too short.');
  return characters.map((byte) => ALPHABET.charAt(byte % ALPHABET.length)).join('');
}

function refused(cause?: unknown): TroveError {
  return new TroveError('GUEST_ERROR', 'The public key of the other side gives no secret.', { cause });
}
