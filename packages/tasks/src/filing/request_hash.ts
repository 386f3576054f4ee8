import { sha256 } from '@trove/common';

/**
 * What tells a repeated request from another one under the same `Idempotency-Key`: 64 hex digits over method, path and
 * parsed body. Bodies that differ only in the order of members hash alike.
 */
export function requestHash(method: string, path: string, body: unknown): string {
  return sha256(JSON.stringify([method.toUpperCase(), path, ordered(body)])).toString('hex');
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([left], [right]) => (left < right ? -1 : 1));
  // Pairs, not an object: an object would lose the order of members that look like numbers.
  return { members: members.map(([name, member]) => [name, ordered(member)]) };
}
