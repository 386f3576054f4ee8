import { TroveError } from '@trove/common';
import { type Client, escapeIdentifier, escapeLiteral } from 'pg';
import type { DatabaseSpec, Page, PageRequest } from '../driver.ts';
import { rowsToRead, toPage } from '../paging.ts';
import { sqlState } from './errors.ts';
import { checkDatabaseName, HIDDEN_DATABASES } from './names.ts';

const DUPLICATE_DATABASE = '42P04';
const IN_USE = '55006';
const DROP_TRIES = 3;

export async function createPostgresDatabases(client: Client, databases: readonly DatabaseSpec[]): Promise<void> {
  for (const database of databases) checkDatabaseName(database.name);
  for (const database of databases) await createDatabase(client, database);
}

/** CREATE DATABASE cannot be in a transaction nor be made conditional, so a duplicate is seen by its error. */
async function createDatabase(client: Client, database: DatabaseSpec): Promise<void> {
  const name = escapeIdentifier(database.name);
  const encoding = database.characterSet ? ` ENCODING ${escapeLiteral(database.characterSet)}` : '';
  const collation = database.collate
    ? ` LC_COLLATE ${escapeLiteral(database.collate)} LC_CTYPE ${escapeLiteral(database.collate)}`
    : '';
  try {
    await client.query(`CREATE DATABASE ${name} TEMPLATE template0${encoding}${collation}`);
  } catch (error) {
    if (sqlState(error) !== DUPLICATE_DATABASE) throw error;
  }
  await client.query(`REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC`);
}

export async function deletePostgresDatabase(client: Client, name: string): Promise<void> {
  if (HIDDEN_DATABASES.includes(name)) throw new TroveError('DATABASE_NOT_FOUND', 'The database cannot be found.');
  checkDatabaseName(name);
  await dropDatabase(client, name, DROP_TRIES);
}

/** FORCE ends the sessions, but waits only 5 s for them to be gone: on a busy machine it has to be said again. */
async function dropDatabase(client: Client, name: string, tries: number): Promise<void> {
  try {
    await client.query(`DROP DATABASE ${escapeIdentifier(name)} WITH (FORCE)`);
  } catch (error) {
    if (sqlState(error) !== IN_USE || tries <= 1) throw error;
    await dropDatabase(client, name, tries - 1);
  }
}

interface DatabaseRow {
  readonly name: string;
  readonly character_set: string;
  readonly collation: string;
}

export async function listPostgresDatabases(client: Client, page: PageRequest): Promise<Page<DatabaseSpec>> {
  const { rows } = await client.query<DatabaseRow>(
    `SELECT datname AS name, pg_encoding_to_char(encoding) AS character_set, datcollate AS collation FROM pg_database
     WHERE NOT datistemplate AND datname <> ALL ($1) AND ($2::text IS NULL OR datname::text COLLATE "C" ${page.includeMarker ? '>=' : '>'} $2)
     ORDER BY datname::text COLLATE "C" LIMIT $3`,
    [HIDDEN_DATABASES, page.marker, rowsToRead(page)],
  );
  const databases = rows.map((row) => ({ name: row.name, characterSet: row.character_set, collate: row.collation }));
  return toPage(databases, page, (database) => database.name);
}
