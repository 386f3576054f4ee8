import { fitsTroveColumn } from '@trove/catalog';
import { TroveError } from '@trove/common';
import type { NewDatabase, NewUser } from '@trove/contracts';

/** What one datastore manager calls its own, and how long its names may be. */
interface NameRules {
  readonly databaseLength: number;
  readonly userLength: number;
  readonly reservedDatabases: ReadonlySet<string>;
  readonly reservedUsers: ReadonlySet<string>;
}

const MYSQL_RULES: NameRules = {
  databaseLength: 64,
  userLength: 16,
  reservedDatabases: new Set(['mysql', 'information_schema', 'performance_schema', 'sys']),
  reservedUsers: new Set(['os_admin', 'root']),
};

const RULES: ReadonlyMap<string, NameRules> = new Map([
  ['mysql', MYSQL_RULES],
  ['mariadb', MYSQL_RULES],
  [
    'postgresql',
    {
      databaseLength: 63,
      userLength: 63,
      reservedDatabases: new Set(['os_admin', 'postgres', 'template0', 'template1']),
      reservedUsers: new Set(['os_admin', 'postgres', 'root']),
    },
  ],
]);

const DATABASE_NAME = /^[A-Za-z0-9_-](?:[A-Za-z0-9_?#@-]*[A-Za-z0-9_-])?$/;
const NOT_IN_USER_NAME = /['";`,/\\]|^\s|\s$/u;
const HOST = /^(?:(?:\d{1,3}|%)(?:\.(?:\d{1,3}|%)){0,3})(?:\/\d{1,3}(?:\.\d{1,3}){0,3})?$/;

/** True for the managers whose databases and users this api can reach. */
export function managesDatabases(manager: string | null): manager is string {
  return manager !== null && RULES.has(manager);
}

/** Throws `BAD_REQUEST` where the manager cannot hold the name, or keeps it to itself. */
export function checkDatabaseName(name: string, manager: string): void {
  const rules = rulesOf(manager);
  if (!DATABASE_NAME.test(name) || name.length > rules.databaseLength) {
    throw new TroveError('BAD_REQUEST', `'${shown(name)}' is not a valid database name.`);
  }
  if (rules.reservedDatabases.has(name.toLowerCase()))
    throw new TroveError('BAD_REQUEST', `Database name '${name}' is reserved.`);
}

/** The same for a list that must not name one twice. */
export function checkDatabases(databases: readonly NewDatabase[], manager: string): void {
  const seen = new Set<string>();
  for (const { name, character_set, collate } of databases) {
    checkDatabaseName(name, manager);
    if (seen.has(name)) throw new TroveError('DATABASE_EXISTS', `A database with the name "${name}" already exists.`);
    seen.add(name);
    for (const word of [character_set, collate]) {
      if (word !== undefined && word !== null && !/^[A-Za-z0-9_.@-]{1,64}$/.test(word)) {
        throw new TroveError('BAD_REQUEST', `'${shown(word)}' is not a valid character set or collation.`);
      }
    }
  }
}

/**
 * Names, hosts and databases of users that are to be made. `known`: databases of the same request, which alone they may use;
 * undefined where the instance is there already and its guest knows. Throws `BAD_REQUEST`, or `USER_EXISTS` for one named twice.
 */
export function checkUsers(users: readonly NewUser[], manager: string, known?: ReadonlySet<string>): void {
  const seen = new Set<string>();
  for (const user of users) {
    checkUserName(user.name, manager);
    checkHost(user.host ?? '%');
    const account = `${user.name}@${user.host ?? '%'}`;
    if (seen.has(account)) throw new TroveError('USER_EXISTS', `A user with the name "${user.name}" already exists.`);
    seen.add(account);
    for (const { name } of user.databases ?? []) {
      checkDatabaseName(name, manager);
      if (known && !known.has(name)) {
        throw new TroveError(
          'BAD_REQUEST',
          `Database '${name}' of user '${user.name}' is not among the databases to be created.`,
        );
      }
    }
  }
}

function checkUserName(name: string, manager: string): void {
  const rules = rulesOf(manager);
  if (NOT_IN_USER_NAME.test(name) || name.length > rules.userLength || !fitsTroveColumn(name)) {
    throw new TroveError('BAD_REQUEST', `'${shown(name)}' is not a valid user name.`);
  }
  if (rules.reservedUsers.has(name.toLowerCase()))
    throw new TroveError('BAD_REQUEST', `User name '${name}' is reserved.`);
}

function checkHost(host: string): void {
  const numbers = host.match(/\d+/g) ?? [];
  if (!HOST.test(host) || numbers.some((number) => Number(number) > 255)) {
    throw new TroveError('BAD_REQUEST', `'${shown(host)}' is not a valid host.`);
  }
}

/** Throws `BAD_REQUEST` where Trove's columns (three bytes to a character) cannot hold the text. */
export function checkStorable(what: string, text: string): void {
  if (fitsTroveColumn(text)) return;
  throw new TroveError('BAD_REQUEST', `The ${what} has a character that cannot be stored.`);
}

function rulesOf(manager: string): NameRules {
  const rules = RULES.get(manager);
  if (!rules)
    throw new TroveError('UNPROCESSABLE', `Databases and users of datastore manager '${manager}' cannot be managed.`);
  return rules;
}

/** Cut to what fits into a message. */
function shown(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}...` : text;
}
