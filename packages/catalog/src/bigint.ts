import type { DatabaseBigint } from './tables.ts';

/** A 64-bit column's value as a bigint. Throws a SyntaxError or RangeError where it is no whole number. */
export function toBigint(value: DatabaseBigint): bigint {
  return BigInt(value);
}

/** The same for a column that may be null. */
export function toBigintOrNull(value: DatabaseBigint | null): bigint | null {
  return value === null ? null : BigInt(value);
}
