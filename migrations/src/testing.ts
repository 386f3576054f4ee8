import { readFile } from 'node:fs/promises';
import { testDatabase } from '@trove/testkit';
import createKnex, { type Knex } from 'knex';
import { selectRows } from './dialect.ts';

/** An empty database of one's own on the server of `TROVE_TEST_MYSQL_URL`. */
export async function emptyDatabase(): Promise<{ knex: Knex; url: string; dispose(): Promise<void> }> {
  const database = await testDatabase();
  const knex = createKnex({
    client: 'mysql2',
    connection: { ...database.connection, dateStrings: true, supportBigNumbers: true, bigNumberStrings: true },
    pool: { min: 0, max: 4 },
  });
  return {
    knex,
    url: database.url,
    dispose: async () => {
      await knex.destroy();
      await database.dispose();
    },
  };
}

/** Loads what Trove's own migrations made, with the rows of a running deployment; in another charset where one is given. */
export async function loadTroveDump(knex: Knex, version: 40 | 48, collation = 'utf8mb3_general_ci'): Promise<void> {
  const dump = await readFile(new URL(`../test_data/trove_catalog_${version}.sql`, import.meta.url), 'utf8');
  const text = dump.replaceAll(
    'CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci',
    `CHARSET=${collation.split('_')[0]} COLLATE=${collation}`,
  );
  const statements = text
    .split(/;\n/)
    .filter((statement) => /CREATE TABLE|INSERT INTO|FOREIGN_KEY_CHECKS/.test(statement));
  await knex.transaction(async (tx) => {
    for (const statement of statements) await tx.raw(statement.replaceAll('?', '\\?'));
  });
}

/** What Trove's later migrations add to its version 48, as its alembic head has it. */
const ALEMBIC_CHANGES = [
  'ALTER TABLE instances ADD COLUMN ssl_mode varchar(16) NULL, ADD COLUMN ssl_ref text NULL',
  'ALTER TABLE root_enabled_history ADD COLUMN deleted_at datetime NULL',
  "ALTER TABLE datastore_versions ADD COLUMN registry_ext text NOT NULL DEFAULT ''",
  "ALTER TABLE datastore_versions ADD COLUMN repl_strategy text NOT NULL DEFAULT ''",
  'ALTER TABLE datastore_versions ALTER COLUMN registry_ext DROP DEFAULT, ALTER COLUMN repl_strategy DROP DEFAULT',
  'ALTER TABLE backups ADD COLUMN storage_driver text NULL',
  "ALTER TABLE backup_strategy ALTER COLUMN instance_id SET DEFAULT ''",
  'ALTER TABLE quota_usages ALTER COLUMN in_use SET DEFAULT 0, ALTER COLUMN reserved SET DEFAULT 0',
  'ALTER TABLE instance_faults ALTER COLUMN deleted SET DEFAULT 0',
  'ALTER TABLE modules MODIFY COLUMN contents longtext NOT NULL',
  'DROP TABLE migrate_version',
  'CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY)',
  "INSERT INTO alembic_version VALUES ('95418fe2a1c8')",
];

/** The catalog of a Trove that has gone on to alembic. */
export async function loadTroveHead(knex: Knex): Promise<void> {
  await loadTroveDump(knex, 48);
  for (const change of ALEMBIC_CHANGES) await knex.raw(change);
}

/** Each table's own text, without those that are named. */
export async function describeTables(knex: Knex, without: readonly string[] = []): Promise<Record<string, string[]>> {
  const described: Record<string, string[]> = {};
  for (const name of await tableNames(knex)) {
    if (without.includes(name)) continue;
    const [row] = await selectRows(knex, `SHOW CREATE TABLE \`${name}\``);
    described[name] = String(row?.['Create Table'])
      .split('\n')
      .map((line) => line.replace(/,$/, ''));
  }
  return described;
}

/** All rows of all tables, as far as those columns go that stand in `like`. */
export async function readAllRows(
  knex: Knex,
  like?: Record<string, Record<string, unknown>[]>,
): Promise<Record<string, Record<string, unknown>[]>> {
  const all: Record<string, Record<string, unknown>[]> = {};
  for (const name of like ? Object.keys(like) : await tableNames(knex)) {
    const columns = Object.keys(like?.[name]?.[0] ?? {});
    all[name] = await selectRows(
      knex,
      `SELECT ${columns.length > 0 ? columns.map((column) => `\`${column}\``).join(', ') : '*'} FROM \`${name}\``,
    );
  }
  return all;
}

async function tableNames(knex: Knex): Promise<string[]> {
  const rows = await selectRows(
    knex,
    'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1',
  );
  return rows.map((row) => String(row['name']));
}
