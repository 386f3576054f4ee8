import { hkdfSha256, hmacSha256, type Secret, sha256 } from '@trove/common';

/** A request as its task remembers it; each form is 64 hex digits. */
export interface RequestHash {
  /** What is written. */
  readonly form: string;
  /** What the same request may have written before: under a key that has moved down the ring, or without one. */
  readonly alike: readonly string[];
}

/**
 * What tells a repeated request from another one under the same `Idempotency-Key`, over method, path and parsed body. Bodies
 * that differ only in the order of members hash alike. A body may hold passwords, so who reads the catalog must not be able
 * to try guesses on it: with a ring it is an HMAC under its first key. Without one, as before there was one, it is plain.
 */
export function requestHash(
  controlRing: readonly Secret[],
  request: { readonly method: string; readonly path: string; readonly body: unknown },
): RequestHash {
  const text = JSON.stringify([request.method.toUpperCase(), request.path, ordered(request.body)]);
  const plain = sha256(text).toString('hex');
  const keys = controlRing.map((key) => hkdfSha256(key.reveal(), 'trove-rest-v2', 'request', 32));
  const alike = [...keys.map((key) => hmacSha256(key, text).toString('hex')), plain];
  return { form: alike[0] ?? plain, alike };
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([left], [right]) => (left < right ? -1 : 1));
  // Pairs, not an object: an object would lose the order of members that look like numbers.
  return { members: members.map(([name, member]) => [name, ordered(member)]) };
}
