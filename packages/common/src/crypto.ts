import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';

/** HKDF of RFC 5869 with SHA-256; text is taken as UTF-8 without terminator. */
export function hkdfSha256(ikm: Buffer | string, salt: Buffer | string, info: Buffer | string, length: number): Buffer {
  return Buffer.from(hkdfSync('sha256', ikm, salt, info, length));
}

export function hmacSha256(key: Buffer | string, ...parts: (Buffer | string)[]): Buffer {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

export function sha256(...parts: (Buffer | string)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/**
 * Trove's own cipher, kept for peers and rows that an existing deployment left: AES-256-CBC under the
 * 32 ASCII characters of the key string's hex MD5, as base64 of IV and ciphertext. It has no integrity.
 */
export function troveEncrypt(plaintext: Buffer | string, keyText: string, iv: Buffer = randomBytes(16)): string {
  const cipher = createCipheriv('aes-256-cbc', troveKey(keyText), iv);
  return Buffer.concat([iv, cipher.update(plaintext), cipher.final()]).toString('base64');
}

/** The inverse of `troveEncrypt`. Throws a RangeError, always the same one, when shape or padding is wrong. */
export function troveDecrypt(text: string, keyText: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  const wellFormed = bytes.length >= 32 && bytes.length % 16 === 0 && bytes.toString('base64') === text;
  if (!wellFormed) throw new RangeError('does not open under this key');
  try {
    const decipher = createDecipheriv('aes-256-cbc', troveKey(keyText), bytes.subarray(0, 16));
    return Buffer.concat([decipher.update(bytes.subarray(16)), decipher.final()]);
  } catch {
    throw new RangeError('does not open under this key');
  }
}

function troveKey(keyText: string): Buffer {
  return Buffer.from(createHash('md5').update(keyText, 'utf8').digest('hex'), 'ascii');
}
