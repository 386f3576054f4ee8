import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { hkdfSha256, hmacSha256, TroveError, troveDecrypt, troveEncrypt } from '@trove/common';

/** Which cell of the catalog a sealed text belongs to: it opens there only, and under this policy only. */
export interface Place {
  readonly table: string;
  readonly column: string;
  readonly rowId: string;
  /** The version of the key that is sealed. */
  readonly version: number;
  readonly policy: number;
}

/** Key-encryption keys: the first seals, all open. Bytes of the configured text, or derived ones. */
export type Ring = readonly Buffer[];

const INFO = 'trove-rest-v2';
const V2 = /^v2\.([0-9a-f]{8})\.(\d{1,10})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{22,})$/;
/** What Trove's own form may hold: it has no integrity, so a wrong key is told by what comes out. */
const TROVE_KEY = /^[\x21-\x7e]{1,255}$/;

/**
 * `v2.<id of the ring's key>.<key version>.<salt>.<ciphertext and tag>`, base64url without padding. The salt binds random
 * bytes, place and plaintext, so a repeated random source never gives one key and nonce to two plaintexts.
 */
export function sealAtRest(ring: Ring, place: Place, plaintext: Buffer | string): string {
  const kek = ring[0];
  if (kek === undefined)
    throw new TroveError('CONFIG_INVALID', 'There is no key to seal with: set inst_rpc_key_encr_key.');
  const aad = additionalData(place);
  const salt = hmacSha256(hkdfSha256(kek, '', `${INFO} salt`, 32), randomBytes(32), aad, plaintext).subarray(0, 16);
  const { key, nonce } = contentKeys(kek, salt);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
  cipher.setAAD(aad);
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  return ['v2', kekId(kek), place.version, salt.toString('base64url'), sealed.toString('base64url')].join('.');
}

/** The plaintext of what `sealAtRest` made. Throws `INTERNAL`, always the same, where no key of the ring opens it at this place. */
export function openAtRest(ring: Ring, place: Place, text: string): Buffer {
  const [, id, version, salt, sealed] = V2.exec(text) ?? [];
  if (salt === undefined || sealed === undefined || Number(version) !== place.version) throw doesNotOpen();
  const bytes = canonicalBytes(sealed);
  const saltBytes = canonicalBytes(salt);
  for (const kek of ring) {
    if (kekId(kek) !== id) continue;
    const { key, nonce } = contentKeys(kek, saltBytes);
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
    decipher.setAAD(additionalData(place));
    decipher.setAuthTag(bytes.subarray(-16));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]);
    } catch {
      throw doesNotOpen();
    }
  }
  throw doesNotOpen();
}

/** The key's version that a v2 text names; 1 for Trove's own form. */
export function versionAtRest(text: string): number {
  return Number(V2.exec(text)?.[2] ?? 1);
}

/** The id of the ring's key that a v2 text rests under, 8 hex digits; undefined for Trove's own form, which does not tell. */
export function restsUnder(text: string): string | undefined {
  return V2.exec(text)?.[1];
}

export function isV2AtRest(text: string): boolean {
  return text.startsWith('v2.');
}

/** Trove's own form, without integrity and bound to no row: for a deployment that must be able to go back. */
export function sealAsTrove(ring: Ring, plaintext: string): string {
  const kek = ring[0];
  if (kek === undefined)
    throw new TroveError('CONFIG_INVALID', 'There is no key to seal with: set inst_rpc_key_encr_key.');
  return troveEncrypt(plaintext, kek.toString('utf8'));
}

/** The inverse; throws `INTERNAL` where no key of the ring gives a text that a key file could hold. */
export function openAsTrove(ring: Ring, text: string): string {
  for (const kek of ring) {
    const plaintext = tryTrove(text, kek.toString('utf8'));
    if (plaintext !== undefined && TROVE_KEY.test(plaintext)) return plaintext;
  }
  throw doesNotOpen();
}

function tryTrove(text: string, kek: string): string | undefined {
  try {
    return troveDecrypt(text, kek).toString('latin1');
  } catch {
    return undefined;
  }
}

/** base64url has several texts for some bytes; only the one that we write is taken. */
function canonicalBytes(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw doesNotOpen();
  return bytes;
}

function additionalData({ table, column, rowId, version, policy }: Place): Buffer {
  return Buffer.from(`trove|${table}|${column}|${rowId}|${version}|${policy}`, 'utf8');
}

function contentKeys(kek: Buffer, salt: Buffer): { key: Buffer; nonce: Buffer } {
  const okm = hkdfSha256(kek, salt, INFO, 44);
  return { key: okm.subarray(0, 32), nonce: okm.subarray(32) };
}

/** Names a key of a ring without telling it: 8 hex digits. */
export function kekId(kek: Buffer): string {
  return hmacSha256(kek, 'trove-kek-id').subarray(0, 4).toString('hex');
}

function doesNotOpen(): TroveError {
  return new TroveError('INTERNAL', 'A sealed value of the catalog does not open under any configured key.');
}
