import { type Catalog, dbNow, PARKED_ERRORS, type TaskRow, UNFINISHED_STATES } from '@trove/catalog';
import type { Knex } from 'knex';
import type { TaskKind } from '../types.ts';
import { type StoredError, storedError } from './task_row.ts';

/** Marked with one look. */
const MARKED_AT_ONCE = 100;

type Condition = (query: Knex.QueryBuilder) => void;

/** Unfinished, in nobody's lease, and not waiting for a later time. */
export function isDue(executor: Knex): Condition {
  const now = dbNow(executor);
  return (query) => {
    query
      .whereIn('tasks.state', UNFINISHED_STATES)
      .where((lease) => {
        lease.whereNull('tasks.lease_until').orWhere('tasks.lease_until', '<', now);
      })
      .where((wait) => {
        wait.whereNull('tasks.wake_at').orWhere('tasks.wake_at', '<=', now);
      });
  };
}

/** Of a kind and code version that this release can resume. */
export function isKnown(kinds: readonly TaskKind[]): Condition {
  return (query) => {
    query.where((any) => {
      any.whereRaw('1 = 0');
      for (const { kind, codeVersion } of kinds) {
        any.orWhere((one) => {
          one.where('tasks.kind', kind).where('tasks.code_version', '<=', codeVersion);
        });
      }
    });
  };
}

/** Only a slot's holder can be taken. */
function slotHolders({ knex }: Catalog): Knex.QueryBuilder {
  return knex('tasks').join('instances', (on) =>
    on.on('instances.id', 'tasks.instance_id').andOn('instances.active_task_id', 'tasks.id'),
  );
}

/** Due for so long. A worker that knows a task has looked for it in the time between two of its polls. */
function isDueFor(executor: Knex, forMs: number): Condition {
  const dueSince = 'COALESCE(tasks.wake_at, tasks.lease_until, tasks.updated)';
  return (query) => void query.whereRaw(`${dueSince} <= ? - ?`, [dbNow(executor), forMs * 1000]);
}

export interface LeftAlone {
  /** Ids of tasks that this worker has parked. */
  readonly parked: ReadonlySet<string>;
  /** A parked one whose mark is gone, and which nobody has taken for so long, is to be marked again. */
  readonly forMs: number;
}

/** Ids of tasks that could be taken, read without locks: taking one decides anew. */
export async function dueTasks(
  catalog: Catalog,
  kinds: readonly TaskKind[],
  limit: number,
  { parked, forMs }: LeftAlone = { parked: new Set(), forMs: 0 },
): Promise<readonly string[]> {
  const rows: { id: string }[] = await slotHolders(catalog)
    .where(isDue(catalog.knex))
    .where(isKnown(kinds))
    .where((looked) => {
      looked.whereNotIn('tasks.id', [...parked]).orWhere((again) => {
        again.where(isNotParked).where(isDueFor(catalog.knex, forMs));
      });
    })
    // Longest due first: many that wake every second must not keep a new one out.
    .orderByRaw('COALESCE(tasks.wake_at, tasks.lease_until, tasks.created)')
    .limit(limit)
    .select('tasks.id');
  return rows.map((row) => row.id);
}

/**
 * Writes on tasks that this release cannot take why they stand still, and gives the kinds of those that it wrote on. A release
 * that can take them removes it again. Only what has been due for `forMs`: in a rolling upgrade a worker of another release
 * stands beside this one, and what that one takes when it is due does not stand still.
 */
export async function markParked(
  catalog: Catalog,
  kinds: readonly TaskKind[],
  forMs: number,
): Promise<readonly string[]> {
  const rows: Pick<TaskRow, 'id' | 'kind' | 'code_version' | 'error'>[] = await slotHolders(catalog)
    .where(isDue(catalog.knex))
    .whereNot(isKnown(kinds))
    .where(isNotParked)
    .where(isDueFor(catalog.knex, forMs))
    .limit(MARKED_AT_ONCE)
    .select('tasks.id', 'tasks.kind', 'tasks.code_version', 'tasks.error');
  const marked: string[] = [];
  for (const row of rows) {
    const what = kinds.some(({ kind }) => kind === row.kind) ? `version ${row.code_version} of task kind` : 'task kind';
    const written = await catalog
      .knex<TaskRow>('tasks')
      .where({ id: row.id })
      .where(isDue(catalog.knex))
      .where(isNotParked)
      .update({
        error: JSON.stringify({
          ...parkedError(`this release does not know ${what} "${row.kind}"`),
          before: storedError(row.error),
        }),
        updated: dbNow(catalog.knex),
      });
    if (written > 0) marked.push(row.kind);
  }
  return marked;
}

/** One that goes back has an error already, and is parked on top of it. */
function isNotParked(query: Knex.QueryBuilder): void {
  query.whereNull('tasks.error').orWhereNot('tasks.error', 'like', PARKED_ERRORS);
}

export function parkedError(reason: string): StoredError {
  return { code: 'INTERNAL', message: `Parked: ${reason}.`, parked: true };
}
