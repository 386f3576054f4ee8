import { isTroveError, TroveError } from '@trove/common';

/** MySQL's error numbers that a tenant's input can cause. */
const BAD_NAMES = new Set([1006, 1044, 1059, 1064, 1102, 1300, 1366, 1406, 1470]);
const BAD_CHARACTER_SETS = new Set([1115, 1253, 1273]);
const ER_DB_DROP_EXISTS = 1008;
const ER_CANNOT_USER = 1396;

/** An error of the server as one that a tenant may see; the original stays its cause. */
export function translateMysqlError(error: unknown): TroveError {
  if (isTroveError(error)) return error;
  const number = error instanceof Error && 'errno' in error ? Number(error.errno) : 0;
  if (BAD_NAMES.has(number))
    return new TroveError('BAD_REQUEST', 'The name is not one that this datastore can hold.', { cause: error });
  if (BAD_CHARACTER_SETS.has(number)) {
    return new TroveError('BAD_REQUEST', 'The character set or collation is not known to this datastore.', {
      cause: error,
    });
  }
  if (number === ER_DB_DROP_EXISTS)
    return new TroveError('DATABASE_NOT_FOUND', 'The database cannot be found.', { cause: error });
  if (number === ER_CANNOT_USER) return new TroveError('USER_EXISTS', 'A user of that name exists.', { cause: error });
  return new TroveError('GUEST_ERROR', 'The database server refused or could not be reached.', {
    cause: error,
    retryable: true,
  });
}
