import type { Knex } from 'knex';
import type { Definitions } from './definition.ts';
import { dialectOf, selectRows } from './dialect.ts';
import { MigrationError } from './errors.ts';
import { keysInTheWay } from './key_guard.ts';
import { type MigrationLock, takeLock } from './lock.ts';
import { mysqlEditor } from './mysql_editor.ts';
import { afterOperation, inverse, type Operation, type RunStatement } from './operations.ts';
import { findOrigin } from './origin.ts';
import { sqliteEditor } from './sqlite_editor.ts';
import { type CatalogState, ensureState, readState, startingVersion, startState } from './state.ts';
import { LATEST_VERSION, MIGRATIONS } from './versions/all.ts';

/** One step of the way, as `40 -> 41`. */
export interface MigrationStep {
  readonly from: number;
  readonly to: number;
}

export interface MigrationHooks {
  onStep?(step: MigrationStep): void;
  onDone?(step: MigrationStep): void;
  /** Another process is at it; `holder` is its host and process id. */
  onWaiting?(holder: string): void;
  /** Before each statement that changes something, and before the one that records a step. A test throws here. */
  onStatement?(sql: string): void;
}

export interface MigrationOptions extends MigrationHooks {
  /** Default: the newest for a sync; a downgrade needs one. */
  to?: number;
  /** How long a holder of the lock that died keeps others waiting. Default 30 s. */
  leaseMs?: number;
}

interface Run {
  readonly knex: Knex;
  readonly lock: MigrationLock;
  readonly hooks: MigrationHooks;
}

interface PlannedStep extends MigrationStep {
  readonly operations: readonly Operation[];
}

/**
 * Moves the catalog up to `to`, one step at a time, taking over one that Trove made. Does nothing where it stands there
 * already. Throws a MigrationError where that cannot be done.
 */
export async function syncCatalog(knex: Knex, options: MigrationOptions = {}): Promise<void> {
  const to = knownVersion(options.to ?? LATEST_VERSION);
  if ((await readState(knex)) === undefined) await findOrigin(knex);
  await underLock(knex, options, async (run, state) => {
    refuseNewer(state);
    const from = startingVersion(state, 'up');
    if (from > to) {
      throw new MigrationError(`the catalog is at ${from}, above ${to}: use db_downgrade to go down`);
    }
    for (const step of plan(from, to)) await takeStep(run, step);
  });
}

/** Moves the catalog down to `to`. Refuses to drop keys without `dropKeys`, and to go below what Trove handed over. */
export async function downgradeCatalog(
  knex: Knex,
  options: MigrationOptions & { to: number; dropKeys?: boolean },
): Promise<void> {
  const to = options.to === 0 ? 0 : knownVersion(options.to);
  if ((await readState(knex)) === undefined)
    throw new MigrationError('db_sync has not been run on this catalog: there is nothing to take back');
  await underLock(knex, options, async (run, state) => {
    refuseNewer(state);
    const from = startingVersion(state, 'down');
    if (to > from) throw new MigrationError(`the catalog is at ${from}, below ${to}: use db_sync to go up`);
    if (state.adoptedVersion !== null && to < state.adoptedVersion) {
      throw new MigrationError(
        `Trove itself brought this catalog to ${state.adoptedVersion}; going below that is its own trove-manage's work`,
      );
    }
    if (options.dropKeys !== true) await refuseKeyLoss(knex, from, to);
    for (const step of plan(from, to)) await takeStep(run, step);
  });
}

/** The version that the catalog stands at; 0 for an empty database. Throws a MigrationError for one that is not ours to move. */
export async function catalogVersion(knex: Knex): Promise<number> {
  const state = await readState(knex);
  return state === undefined ? (await findOrigin(knex)).version : startingVersion(state, 'up');
}

function knownVersion(version: number): number {
  if (MIGRATIONS.some((migration) => migration.version === version)) return version;
  throw new MigrationError(
    `no version ${version}; there are ${MIGRATIONS.map((migration) => migration.version).join(', ')}`,
  );
}

/** What a newer release has done to the catalog, or is doing, this one does not know: taking its own steps back would be wrong. */
function refuseNewer(state: CatalogState): void {
  const version = startingVersion(state, 'down');
  if (version <= LATEST_VERSION) return;
  throw new MigrationError(
    `a newer release has taken the catalog to ${version}, and this one knows versions up to ${LATEST_VERSION}: go back with that one's "trove-manage db_downgrade ${LATEST_VERSION}" first`,
  );
}

async function refuseKeyLoss(knex: Knex, from: number, to: number): Promise<void> {
  const keys = await keysInTheWay(knex, from, to);
  if (keys === 0) return;
  throw new MigrationError(
    `going from ${from} to ${to} drops the keys of ${keys} instance${keys === 1 ? '' : 's'}, whose guests could then not be spoken to: give --drop-keys to do it`,
  );
}

async function underLock(
  knex: Knex,
  options: MigrationOptions,
  work: (run: Run, state: CatalogState) => Promise<void>,
): Promise<void> {
  await ensureState(knex);
  const leaseMs = options.leaseMs ?? 30_000;
  const lock = await takeLock(knex, { leaseMs, onWaiting: options.onWaiting });
  // SQLite has one connection, which the step's transaction holds: there the lease is renewed between the steps.
  const timer =
    dialectOf(knex) === 'mysql' ? setInterval(() => void lock.renew().catch(() => undefined), leaseMs / 3) : undefined;
  try {
    if ((await readState(knex)) === undefined) await startState(knex, await findOrigin(knex));
    const state = await readState(knex);
    if (state === undefined) throw new MigrationError('catalog_version has no row: something else is writing to it');
    await work({ knex, lock, hooks: options }, state);
  } finally {
    clearInterval(timer);
    await lock.release();
  }
}

/** The way between two versions; upwards or downwards. */
function plan(from: number, to: number): PlannedStep[] {
  const versions = [0, ...MIGRATIONS.map((migration) => migration.version)];
  if (to >= from) {
    return MIGRATIONS.filter((migration) => migration.version > from && migration.version <= to).map((migration) => ({
      from: versions[versions.indexOf(migration.version) - 1] ?? 0,
      to: migration.version,
      operations: migration.operations,
    }));
  }
  return MIGRATIONS.filter((migration) => migration.version > to && migration.version <= from)
    .reverse()
    .map((migration) => ({
      from: migration.version,
      to: versions[versions.indexOf(migration.version) - 1] ?? 0,
      operations: migration.operations.map(inverse).reverse(),
    }));
}

async function takeStep(run: Run, step: PlannedStep): Promise<void> {
  run.hooks.onStep?.(step);
  await run.lock.renew();
  await (dialectOf(run.knex) === 'mysql' ? onMysql(run, step) : onSqlite(run, step));
  run.hooks.onDone?.(step);
}

async function onMysql({ knex, lock, hooks }: Run, step: PlannedStep): Promise<void> {
  const statement: RunStatement = async (sql, bindings = []) => {
    hooks.onStatement?.(sql);
    await lock.renew();
    await knex.raw(sql, [...bindings]);
  };
  await statement('UPDATE catalog_version SET version = ?, moving_to = ? WHERE id = 1', [step.from, step.to]);
  await applyAll(mysqlEditor(knex, statement), step);
  await statement('UPDATE catalog_version SET version = ?, moving_to = NULL WHERE id = 1', [step.to]);
}

async function onSqlite({ knex, hooks }: Run, step: PlannedStep): Promise<void> {
  // Tables are rebuilt under their references; the setting cannot be changed inside a transaction.
  await knex.raw('PRAGMA foreign_keys = OFF');
  try {
    await knex.transaction(async (tx) => {
      const statement: RunStatement = async (sql, bindings = []) => {
        hooks.onStatement?.(sql);
        await tx.raw(sql, [...bindings]);
      };
      await applyAll(sqliteEditor(tx, statement), step);
      const broken = await selectRows(tx, 'PRAGMA foreign_key_check');
      if (broken.length > 0) throw new MigrationError(`${broken.length} rows refer to rows that are not there`);
      await statement('UPDATE catalog_version SET version = ?, moving_to = NULL WHERE id = 1', [step.to]);
    });
  } finally {
    await knex.raw('PRAGMA foreign_keys = ON');
  }
}

async function applyAll(
  editor: { apply(operation: Operation, after: Definitions): Promise<void> },
  step: PlannedStep,
): Promise<void> {
  let tables = definitionsAt(step.from);
  for (const operation of step.operations) {
    tables = afterOperation(tables, operation);
    await editor.apply(operation, tables);
  }
}

function definitionsAt(version: number): Definitions {
  const operations = MIGRATIONS.filter((migration) => migration.version <= version).flatMap(
    (migration) => migration.operations,
  );
  return operations.reduce(afterOperation, new Map() as Definitions);
}
