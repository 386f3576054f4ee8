import { TroveError } from '@trove/common';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import type { Page, PageRequest, UserInfo, UserSpec } from '../driver.ts';
import { rowsToRead, toPage } from '../paging.ts';
import { checkUser, grantedName, HIDDEN_USERS, quoteGrantName } from './names.ts';

/** Makes all of them, or none where one exists already. */
export async function createMysqlUsers(connection: Connection, users: readonly UserSpec[]): Promise<void> {
  for (const user of users) checkUser(user);
  for (const user of users) await refuseExisting(connection, user);
  for (const user of users) await createUser(connection, user, '');
}

async function refuseExisting(connection: Connection, user: UserSpec): Promise<void> {
  const [rows] = await connection.query<RowDataPacket[]>('SELECT 1 FROM mysql.user WHERE User = ? AND Host = ?', [
    user.name,
    user.host ?? '%',
  ]);
  if (rows.length > 0) throw new TroveError('USER_EXISTS', 'A user of that name exists.');
}

/** Makes those that are missing, and gives those that exist this password and these databases. */
export async function ensureMysqlUsers(connection: Connection, users: readonly UserSpec[]): Promise<void> {
  for (const user of users) checkUser(user);
  for (const user of users) await createUser(connection, user, 'IF NOT EXISTS');
}

async function createUser(connection: Connection, user: UserSpec, condition: '' | 'IF NOT EXISTS'): Promise<void> {
  const account = `${connection.escape(user.name)}@${connection.escape(user.host ?? '%')}`;
  const identified = `${account} IDENTIFIED BY ${connection.escape(user.password)}`;
  await connection.query(`CREATE USER ${condition} ${identified}`);
  if (condition !== '') await connection.query(`ALTER USER ${identified}`);
  for (const name of user.databases)
    await connection.query(`GRANT ALL PRIVILEGES ON ${quoteGrantName(name)}.* TO ${account}`);
}

interface UserRow extends RowDataPacket {
  readonly name: string;
  readonly host: string;
}

interface GrantRow extends UserRow {
  readonly database_pattern: string;
}

export async function listMysqlUsers(connection: Connection, page: PageRequest): Promise<Page<UserInfo>> {
  const fullName = `CONVERT(CONCAT(User, '@', Host) USING utf8mb4) COLLATE utf8mb4_bin`;
  const limit = rowsToRead(page);
  const [users] = await connection.query<UserRow[]>(
    `SELECT User AS name, Host AS host FROM mysql.user
     WHERE Host <> '' AND User NOT IN (${HIDDEN_USERS.map((hidden) => connection.escape(hidden)).join(', ')})
     ${page.marker === null ? '' : `AND ${fullName} ${page.includeMarker ? '>=' : '>'} ${connection.escape(page.marker)}`}
     ORDER BY ${fullName} ${limit === null ? '' : `LIMIT ${limit}`}`,
  );
  const [grants] = await connection.query<GrantRow[]>(
    'SELECT User AS name, Host AS host, Db AS database_pattern FROM mysql.db ORDER BY Db',
  );
  const databasesOf = Map.groupBy(grants, (grant) => `${grant.name}@${grant.host}`);
  const items = users.map((user) => ({
    name: user.name,
    host: user.host,
    databases: (databasesOf.get(`${user.name}@${user.host}`) ?? []).map((grant) => grantedName(grant.database_pattern)),
  }));
  return toPage(items, page, (user) => `${user.name}@${user.host}`);
}
