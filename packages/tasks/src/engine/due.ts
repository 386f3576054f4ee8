import { type Catalog, dbNow, type TaskRow } from '@trove/catalog';
import type { Knex } from 'knex';
import type { TaskKind } from '../types.ts';
import { type StoredError, storedError, UNFINISHED } from './task_row.ts';

type Condition = (query: Knex.QueryBuilder) => void;

/** Unfinished, in nobody's lease, and not waiting for a later time. */
export function isDue(executor: Knex): Condition {
  const now = dbNow(executor);
  return (query) => {
    query
      .whereIn('tasks.state', [...UNFINISHED])
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

/** Ids of tasks that could be taken, read without locks: taking one decides anew. Only a slot's holder can be taken. */
export async function dueTasks(
  catalog: Catalog,
  kinds: readonly TaskKind[],
  limit: number,
): Promise<readonly string[]> {
  const rows: { id: string }[] = await catalog
    .knex('tasks')
    .join('instances', (on) => on.on('instances.id', 'tasks.instance_id').andOn('instances.active_task_id', 'tasks.id'))
    .where(isDue(catalog.knex))
    .where(isKnown(kinds))
    // Longest due first: many that wake every second must not keep a new one out.
    .orderByRaw('COALESCE(tasks.wake_at, tasks.lease_until, tasks.created)')
    .limit(limit)
    .select('tasks.id');
  return rows.map((row) => row.id);
}

/** Writes on tasks that this release cannot take why they stand still. A release that can take them removes it again. */
export async function markParked(catalog: Catalog, kinds: readonly TaskKind[]): Promise<void> {
  const rows = await catalog
    .knex<TaskRow>('tasks')
    .where(isDue(catalog.knex))
    .whereNot(isKnown(kinds))
    .where(isNotParked)
    .limit(100)
    .select('id', 'kind', 'code_version', 'error');
  for (const row of rows) {
    const what = kinds.some(({ kind }) => kind === row.kind) ? `version ${row.code_version} of task kind` : 'task kind';
    await catalog
      .knex<TaskRow>('tasks')
      .where({ id: row.id })
      .where(isDue(catalog.knex))
      .where(isNotParked)
      .update({
        error: JSON.stringify({
          ...parked(`this release does not know ${what} "${row.kind}"`),
          before: storedError(row.error),
        }),
        updated: dbNow(catalog.knex),
      });
  }
}

/** One that goes back has an error already, and is parked on top of it. */
function isNotParked(query: Knex.QueryBuilder): void {
  query.whereNull('error').orWhereNot('error', 'like', '%"parked":true%');
}

export function parked(reason: string): StoredError {
  return { code: 'INTERNAL', message: `Parked: ${reason}.`, parked: true };
}
