import type { Knex } from 'knex';
import { MigrationError } from './errors.ts';

/** Where a catalog that we have not touched yet stands. */
export interface Origin {
  readonly version: number;
  readonly adopted: boolean;
}

const FIRST = 40;
const LAST = 48;
/** The head of Trove's later chain of migrations, whose tables are those of its version 48 and more. */
const ALEMBIC_HEAD = '95418fe2a1c8';

/** Reads who made the catalog. Throws a MigrationError for one that cannot be taken over, and changes nothing. */
export async function findOrigin(knex: Knex): Promise<Origin> {
  // Trove leaves its older table in place when it goes on to alembic, so the newer one decides.
  if (await knex.schema.hasTable('alembic_version')) return alembicOrigin(knex);
  if (await knex.schema.hasTable('migrate_version')) return migrateOrigin(knex);
  if (await knex.schema.hasTable('instances')) {
    throw new MigrationError(
      'this database has a table "instances" but neither migrate_version nor alembic_version nor catalog_version: not a catalog that can be taken over; name another database',
    );
  }
  return { version: 0, adopted: false };
}

async function alembicOrigin(knex: Knex): Promise<Origin> {
  const rows = await knex<{ version_num: string }>('alembic_version').select('version_num');
  const revisions = rows.map((row) => row.version_num);
  if (revisions.length === 1 && revisions[0] === ALEMBIC_HEAD) return { version: LAST, adopted: true };
  throw new MigrationError(
    `Trove left this catalog at alembic revision ${revisions.join(', ') || '(none)'}; only ${ALEMBIC_HEAD} is taken over: run Trove's own "trove-manage db_sync" of a release that ends there, then this again`,
  );
}

async function migrateOrigin(knex: Knex): Promise<Origin> {
  const rows = await knex<{ version: number | null }>('migrate_version').select('version');
  const version = rows.length === 1 ? rows[0]?.version : undefined;
  if (typeof version === 'number' && version >= FIRST && version <= LAST) return { version, adopted: true };
  const found = version ?? '(none)';
  throw new MigrationError(
    `Trove left this catalog at migrate_version ${found}; ${FIRST} to ${LAST} are taken over: run Trove's own "trove-manage db_sync" up to one of them, then this again`,
  );
}
