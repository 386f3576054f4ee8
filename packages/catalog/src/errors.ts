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
/** Lock wait time-out, deadlock, and a conflict that group replication found at the commit: all of the transaction is undone. */
const RUN_AGAIN = new Set([1205, 1213, 3101]);
/** A Galera node that is not ready (1047), and servers that take no writes: their connections lead nowhere better. */
const WRONG_SERVER = new Set([1047, 1290, 1792, 1836]);
/**
 * What servers say of themselves, their limits and what they ended: full (1040, 1203, 1226), shutting down (1053, 1077 to
 * 1080), connections (1152, 1184; MariaDB 1927; MySQL 3169, 4031) and statements (1317; MariaDB 1969; MySQL 3024) ended.
 */
const NOT_NOW = new Set([
  ...[1040, 1203, 1226, 1053, 1077, 1078, 1079, 1080],
  ...[1152, 1184, 1927, 3169, 4031, 1317, 1969, 3024],
]);
const CONNECTION_LOST = new Set([
  'PROTOCOL_CONNECTION_LOST',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'ENOTFOUND',
]);

/** True where a row with the same primary or unique key is already there. */
export function isDuplicate(error: unknown): boolean {
  return numberOf(error, 'errno') === 1062 || SQLITE_UNIQUE.has(numberOf(error, 'errcode') ?? 0);
}

/** True where the whole transaction may be run again: lock wait time-out, deadlock or other conflict, a busy SQLite file. */
export function isTransient(error: unknown): boolean {
  if (RUN_AGAIN.has(numberOf(error, 'errno') ?? 0)) return true;
  const primary = (numberOf(error, 'errcode') ?? 0) & 0xff;
  return primary === SQLITE_BUSY || primary === SQLITE_LOCKED;
}

/** True where another connection may lead to a server that can be worked with, and this one does not. */
export function isWrongServer(error: unknown): boolean {
  return WRONG_SERVER.has(numberOf(error, 'errno') ?? 0);
}

/**
 * True where the database could not be reached, the connection went away, or it cannot be worked with at this moment, so that
 * the same may be asked again later. Within `withTransaction` those that `isTransient` are run again first.
 */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (isTroveError(error, 'CATALOG_UNAVAILABLE') || isTransient(error) || isWrongServer(error)) return true;
  if (NOT_NOW.has(numberOf(error, 'errno') ?? 0)) return true;
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
