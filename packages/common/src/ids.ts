import { createHash, randomInt, randomUUID } from 'node:crypto';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** As many as `randomInt` takes. */
const FRACTIONS = 2 ** 47;
const LETTERS_AND_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** A random UUID, lower case with hyphens. */
export function newUuid(): string {
  return randomUUID();
}

/** True for a UUID in lower case with hyphens, of any version. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** UUID version 5 (RFC 9562): the same namespace and name always give the same id. */
export function uuidV5(namespace: string, name: string): string {
  const bytes = createHash('sha1').update(uuidToBytes(namespace)).update(name, 'utf8').digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytesToUuid(bytes);
}

/** 16 bytes of a UUID. Throws a RangeError where the text is none. */
export function uuidToBytes(uuid: string): Buffer {
  if (!isUuid(uuid)) throw new RangeError('not a UUID in lower case with hyphens');
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

/** The UUID of 16 bytes, lower case with hyphens. */
export function bytesToUuid(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  if (hex.length !== 32) throw new RangeError('a UUID has 16 bytes');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** A number from 0 to below 1 from the system's CSPRNG: also for waits and shuffles, so that nothing here can be guessed. */
export function randomFraction(): number {
  return randomInt(FRACTIONS) / FRACTIONS;
}

/** Random text of `[A-Za-z0-9]` from the system's CSPRNG, without modulo bias. */
export function randomText(length: number): string {
  let text = '';
  for (let i = 0; i < length; i += 1) text += LETTERS_AND_DIGITS[randomInt(LETTERS_AND_DIGITS.length)] ?? '';
  return text;
}
