import { TroveError } from '@trove/common';
import type { UserSpec } from '../driver.ts';
import { ADMIN_USER } from '../server/admin_account.ts';

export const HIDDEN_DATABASES: readonly string[] = ['postgres', 'template0', 'template1', ADMIN_USER];
export const HIDDEN_USERS: readonly string[] = [ADMIN_USER, 'postgres'];

/** PostgreSQL cuts longer names off silently, counted in bytes. */
const MAX_NAME_BYTES = 63;

function fits(name: string): boolean {
  return name.length > 0 && Buffer.byteLength(name) <= MAX_NAME_BYTES && !name.includes('\0') && name.isWellFormed();
}

export function checkDatabaseName(name: string): void {
  if (!fits(name) || HIDDEN_DATABASES.includes(name)) {
    throw new TroveError('BAD_REQUEST', 'The database name is not one that this datastore can hold.');
  }
}

export function checkUser(user: UserSpec): void {
  if (!fits(user.name) || HIDDEN_USERS.includes(user.name) || user.name.startsWith('pg_') || user.name === 'public') {
    throw new TroveError('BAD_REQUEST', 'The user name is not one that this datastore can hold.');
  }
  if ((user.host ?? '%') !== '%') throw new TroveError('BAD_REQUEST', 'PostgreSQL has no users per host.');
  if (user.password.includes('\0'))
    throw new TroveError('BAD_REQUEST', 'The password is not one that this datastore can hold.');
  for (const name of user.databases) checkDatabaseName(name);
}
