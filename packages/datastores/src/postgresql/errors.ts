import { type ErrorCode, isTroveError, TroveError } from '@trove/common';

/** PostgreSQL's SQLSTATEs that a tenant's input can cause: what to say of each. */
const BY_STATE = new Map<string, readonly [ErrorCode, string]>([
  ['3D000', ['DATABASE_NOT_FOUND', 'The database cannot be found.']],
  ['42710', ['USER_EXISTS', 'A user of that name exists.']],
  ['42704', ['BAD_REQUEST', 'The character set or collation is not known to this datastore.']],
  ['22023', ['BAD_REQUEST', 'The character set or collation is not known to this datastore.']],
  ['42809', ['BAD_REQUEST', 'The character set or collation is not known to this datastore.']],
  ['42622', ['BAD_REQUEST', 'The name is not one that this datastore can hold.']],
  ['42939', ['BAD_REQUEST', 'The name is not one that this datastore can hold.']],
]);

/** An error of the server as one that a tenant may see; the original stays its cause. */
export function translatePostgresError(error: unknown): TroveError {
  if (isTroveError(error)) return error;
  const known = BY_STATE.get(sqlState(error));
  if (known !== undefined) return new TroveError(known[0], known[1], { cause: error });
  return new TroveError('GUEST_ERROR', 'The database server refused or could not be reached.', {
    cause: error,
    retryable: true,
  });
}

/** The SQLSTATE of an error of the server; empty where the server was not reached. */
export function sqlState(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
