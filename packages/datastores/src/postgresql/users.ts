import { TroveError } from '@trove/common';
import { type Client, escapeIdentifier, escapeLiteral } from 'pg';
import type { Page, PageRequest, UserInfo, UserSpec } from '../driver.ts';
import { rowsToRead, toPage } from '../paging.ts';
import { ADMIN_USER } from '../server/admin_account.ts';
import { checkUser, HIDDEN_USERS } from './names.ts';

/** PostgreSQL has no users per host; everybody's is MySQL's "any". */
const ANY_HOST = '%';

/** Runs work on a connection to another database of the same server. */
export type InDatabase = <T>(database: string, work: (client: Client) => Promise<T>) => Promise<T>;

/** Makes all of them, or none where one exists already or a database is missing. */
export async function createPostgresUsers(
  client: Client,
  inDatabase: InDatabase,
  users: readonly UserSpec[],
): Promise<void> {
  for (const user of users) checkUser(user);
  await refuseExisting(client, users);
  await refuseMissingDatabases(client, users);
  for (const user of users) await giveRole(client, inDatabase, user, 'CREATE');
}

/** Makes those that are missing, and gives those that exist this password and these databases. */
export async function ensurePostgresUsers(
  client: Client,
  inDatabase: InDatabase,
  users: readonly UserSpec[],
): Promise<void> {
  for (const user of users) checkUser(user);
  await refuseMissingDatabases(client, users);
  for (const user of users) {
    const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [user.name]);
    await giveRole(client, inDatabase, user, rowCount === 0 ? 'CREATE' : 'ALTER');
  }
}

async function refuseExisting(client: Client, users: readonly UserSpec[]): Promise<void> {
  const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = ANY ($1)', [
    users.map((user) => user.name),
  ]);
  if (rowCount !== 0) throw new TroveError('USER_EXISTS', 'A user of that name exists.');
}

async function refuseMissingDatabases(client: Client, users: readonly UserSpec[]): Promise<void> {
  const names = [...new Set(users.flatMap((user) => user.databases))];
  const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = ANY ($1)', [names]);
  if (rowCount !== names.length) throw new TroveError('DATABASE_NOT_FOUND', 'A database of the user cannot be found.');
}

async function giveRole(
  client: Client,
  inDatabase: InDatabase,
  user: UserSpec,
  verb: 'CREATE' | 'ALTER',
): Promise<void> {
  const role = escapeIdentifier(user.name);
  await client.query(`${verb} ROLE ${role} LOGIN PASSWORD ${escapeLiteral(user.password)}`);
  for (const name of user.databases) {
    const database = escapeIdentifier(name);
    if (await takeOwnerless(client, name)) await client.query(`ALTER DATABASE ${database} OWNER TO ${role}`);
    await client.query(`GRANT ALL PRIVILEGES ON DATABASE ${database} TO ${role}`);
    await inDatabase(name, (inside) => inside.query(`GRANT ALL ON SCHEMA public TO ${role}`));
  }
}

/** A database's first user becomes its owner; until then the agent is. */
async function takeOwnerless(client: Client, name: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'SELECT 1 FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba WHERE datname = $1 AND rolname = $2',
    [name, ADMIN_USER],
  );
  return rowCount === 1;
}

interface UserRow {
  readonly name: string;
  readonly databases: readonly string[];
}

export async function listPostgresUsers(client: Client, page: PageRequest): Promise<Page<UserInfo>> {
  const fullName = `(rolname::text || '@${ANY_HOST}') COLLATE "C"`;
  const { rows } = await client.query<UserRow>(
    `SELECT rolname AS name, ARRAY(
        SELECT datname::text FROM pg_database
        WHERE NOT datistemplate AND datname <> 'postgres' AND has_database_privilege(pg_roles.oid, pg_database.oid, 'CREATE') ORDER BY 1
      ) AS databases
     FROM pg_roles
     WHERE rolcanlogin AND rolname <> ALL ($1) AND ($2::text IS NULL OR ${fullName} ${page.includeMarker ? '>=' : '>'} $2)
     ORDER BY ${fullName} LIMIT $3`,
    [HIDDEN_USERS, page.marker, rowsToRead(page)],
  );
  const users = rows.map((row) => ({ name: row.name, host: ANY_HOST, databases: row.databases }));
  return toPage(users, page, (user) => `${user.name}@${user.host}`);
}
