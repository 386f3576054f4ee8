import type { Knex } from 'knex';
import { dialectOf } from './dialect.ts';
import type { Origin } from './origin.ts';

/**
 * Where this catalog stands, in one row of a table of its own. `moving_to` is set while a migration is under way: the
 * schema is then somewhere between the two versions, and going on in either direction starts from its far end.
 */
export interface CatalogState {
  readonly version: number;
  readonly movingTo: number | null;
  /** The version at which Trove handed the catalog over; null for one that we made. */
  readonly adoptedVersion: number | null;
}

const TABLE = 'catalog_version';

/** Makes the table and its row where they are not there. Any number of processes may do so at once. */
export async function ensureState(knex: Knex): Promise<void> {
  const charset = dialectOf(knex) === 'mysql' ? ' ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin' : '';
  await knex.raw(
    `CREATE TABLE IF NOT EXISTS ${TABLE} (id smallint NOT NULL PRIMARY KEY, version int NULL, moving_to int NULL, adopted_version int NULL, lock_owner varchar(128) NULL, lock_until bigint NULL)${charset}`,
  );
  await knex(TABLE).insert({ id: 1 }).onConflict('id').ignore();
}

/** Undefined before the first `db_sync`. */
export async function readState(knex: Knex): Promise<CatalogState | undefined> {
  if (!(await knex.schema.hasTable(TABLE))) return undefined;
  const row = await knex<{
    id: number;
    version: number | null;
    moving_to: number | null;
    adopted_version: number | null;
  }>(TABLE)
    .where({ id: 1 })
    .first();
  if (row === undefined || row.version === null) return undefined;
  return { version: row.version, movingTo: row.moving_to, adoptedVersion: row.adopted_version };
}

export async function startState(knex: Knex, origin: Origin): Promise<void> {
  await knex(TABLE)
    .where({ id: 1 })
    .update({ version: origin.version, moving_to: null, adopted_version: origin.adopted ? origin.version : null });
}

/** The version from which to go on upwards or downwards: a migration that did not end is run again whole. */
export function startingVersion(state: CatalogState, direction: 'up' | 'down'): number {
  const other = state.movingTo ?? state.version;
  return direction === 'up' ? Math.min(state.version, other) : Math.max(state.version, other);
}
