import { TroveError } from '@trove/common';
import type { UserSpec } from '../driver.ts';
import { ADMIN_USER } from '../server/admin_account.ts';

export const HIDDEN_DATABASES: readonly string[] = [
  'mysql',
  'information_schema',
  'performance_schema',
  'sys',
  '#mysql50#lost+found',
];
export const HIDDEN_USERS: readonly string[] = [
  ADMIN_USER,
  'root',
  'mysql',
  'mysql.sys',
  'mysql.session',
  'mysql.infoschema',
  'mariadb.sys',
  '',
];

const MAX_NAME_CHARACTERS = 64;
const MAX_USER_CHARACTERS = 32;
const HOST = /^[A-Za-z0-9.:_%/-]{1,60}$/;
const CHARACTER_SET = /^[A-Za-z0-9_]{1,64}$/;

/** MySQL's identifiers hold U+0001 to U+FFFF and may not end in a space. */
function holdsOnlyIdentifierCharacters(name: string): boolean {
  return !name.endsWith(' ') && [...name].every((character) => character !== '\0' && character.length === 1);
}

export function checkDatabaseName(name: string): void {
  const fits = name.length > 0 && name.length <= MAX_NAME_CHARACTERS && holdsOnlyIdentifierCharacters(name);
  if (!fits || name.startsWith('#mysql50#') || HIDDEN_DATABASES.includes(name.toLowerCase())) {
    throw new TroveError('BAD_REQUEST', 'The database name is not one that this datastore can hold.');
  }
}

export function checkUser(user: UserSpec): void {
  const fits = user.name.length <= MAX_USER_CHARACTERS && holdsOnlyIdentifierCharacters(user.name);
  if (!fits || HIDDEN_USERS.includes(user.name.toLowerCase())) {
    throw new TroveError('BAD_REQUEST', 'The user name is not one that this datastore can hold.');
  }
  if (!HOST.test(user.host ?? '%'))
    throw new TroveError('BAD_REQUEST', 'The host of a user is not one that this datastore can hold.');
  for (const name of user.databases) checkDatabaseName(name);
}

/** A database or column name as SQL takes it. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** In GRANT a database name is a pattern: its wildcards are taken literally when escaped. */
export function quoteGrantName(name: string): string {
  return quoteName(name.replace(/[\\_%]/g, String.raw`\$&`));
}

/** The name that a grant's pattern stands for. */
export function grantedName(pattern: string): string {
  return pattern.replace(/\\(.)/g, '$1');
}

/** A character set or collation as SQL takes it; these cannot be quoted as strings everywhere. */
export function checkCharacterSet(name: string): string {
  if (!CHARACTER_SET.test(name))
    throw new TroveError('BAD_REQUEST', 'The character set or collation is not known to this datastore.');
  return name;
}
