import { TroveError } from '@trove/common';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import type { DatabaseSpec, Page, PageRequest } from '../driver.ts';
import { rowsToRead, toPage } from '../paging.ts';
import { checkCharacterSet, checkDatabaseName, HIDDEN_DATABASES, quoteName } from './names.ts';

export async function createMysqlDatabases(connection: Connection, databases: readonly DatabaseSpec[]): Promise<void> {
  const statements = databases.map(createStatement);
  for (const statement of statements) await connection.query(statement);
}

export async function deleteMysqlDatabase(connection: Connection, name: string): Promise<void> {
  if (HIDDEN_DATABASES.includes(name.toLowerCase()))
    throw new TroveError('DATABASE_NOT_FOUND', 'The database cannot be found.');
  checkDatabaseName(name);
  await connection.query(`DROP DATABASE ${quoteName(name)}`);
}

interface DatabaseRow extends RowDataPacket {
  readonly name: string;
  readonly character_set: string;
  readonly collation: string;
}

export async function listMysqlDatabases(connection: Connection, page: PageRequest): Promise<Page<DatabaseSpec>> {
  const name = 'CONVERT(schema_name USING utf8mb4) COLLATE utf8mb4_bin';
  const limit = rowsToRead(page);
  const [rows] = await connection.query<DatabaseRow[]>(
    `SELECT schema_name AS name, default_character_set_name AS character_set, default_collation_name AS collation
     FROM information_schema.schemata
     WHERE schema_name NOT IN (${HIDDEN_DATABASES.map((hidden) => connection.escape(hidden)).join(', ')})
     ${page.marker === null ? '' : `AND ${name} ${page.includeMarker ? '>=' : '>'} ${connection.escape(page.marker)}`}
     ORDER BY ${name} ${limit === null ? '' : `LIMIT ${limit}`}`,
  );
  const databases = rows.map((row) => ({ name: row.name, characterSet: row.character_set, collate: row.collation }));
  return toPage(databases, page, (database) => database.name);
}

function createStatement(database: DatabaseSpec): string {
  checkDatabaseName(database.name);
  const characterSet = database.characterSet ? ` CHARACTER SET ${checkCharacterSet(database.characterSet)}` : '';
  const collation = database.collate ? ` COLLATE ${checkCharacterSet(database.collate)}` : '';
  return `CREATE DATABASE IF NOT EXISTS ${quoteName(database.name)}${characterSet}${collation}`;
}
