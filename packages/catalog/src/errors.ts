import { isTroveError, TroveError } from '@trove/common';

/** What MySQL's and SQLite's drivers put on an error; MySQL numbers in `errno`, SQLite extended result codes in `errcode`. */
function numberOf(error: unknown, member: 'errno' | 'errcode'): number | undefined {
  if (!(error instanceof Error) || !(member in error)) return undefined;
  const value: unknown = Reflect.get(error, member);
  return typeof value === 'number' ? value : undefined;
}

const SQLITE_UNIQUE = new Set([1555, 2067, 2579]);
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_CANTOPEN = 14;
const CONNECTION_LOST = new Set([
  'PROTOCOL_CONNECTION_LOST',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'ER_SERVER_SHUTDOWN',
  'ER_CON_COUNT_ERROR',
]);

/** True where a row with the same primary or unique key is already there. */
export function isDuplicate(error: unknown): boolean {
  return numberOf(error, 'errno') === 1062 || SQLITE_UNIQUE.has(numberOf(error, 'errcode') ?? 0);
}

/** True where the whole transaction may be run again: lock wait time-out, deadlock, a busy SQLite file. */
export function isTransient(error: unknown): boolean {
  const errno = numberOf(error, 'errno');
  if (errno === 1205 || errno === 1213) return true;
  const primary = (numberOf(error, 'errcode') ?? 0) & 0xff;
  return primary === SQLITE_BUSY || primary === SQLITE_LOCKED;
}

/** True where the database could not be reached, or the connection went away. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (isTroveError(error, 'CATALOG_UNAVAILABLE')) return true;
  if (error.name === 'KnexTimeoutError' || ((numberOf(error, 'errcode') ?? 0) & 0xff) === SQLITE_CANTOPEN) return true;
  // mysql2 marks so what ends a connection, whatever statement heard of it first.
  if ('fatal' in error && error.fatal === true) return true;
  return 'code' in error && typeof error.code === 'string' && CONNECTION_LOST.has(error.code);
}

/** For the `catch` of queries outside `withTransaction`: an error that says that the database is away becomes `CATALOG_UNAVAILABLE`. */
export function unavailableCatalog(error: unknown): never {
  if (isTroveError(error) || !isUnavailable(error)) throw error;
  throw new TroveError('CATALOG_UNAVAILABLE', 'The catalog cannot be reached.', { cause: error, retryable: true });
}
