import { isUuid } from '@trove/common';
import { dialectOf } from '@trove/migrations';
import type { Knex } from 'knex';
import { dbNow } from '../database_time.ts';
import type { DatabaseBigint, InstanceRow, TaskRow, TaskStepRow } from '../tables.ts';
import { UNFINISHED_STATES } from '../task_states.ts';

/** What a tenant may see of a task; never its parameters, outputs, keys, fence and lease. */
const TASK_COLUMNS = [
  'id',
  'kind',
  'instance_id',
  'state',
  'step',
  'step_names',
  'cancel_requested',
  'error',
  'deadline',
  'created',
  'updated',
] as const satisfies readonly (keyof TaskRow)[];

const STEP_COLUMNS = [
  'task_id',
  'name',
  'state',
  'attempts',
  'started',
  'finished',
] as const satisfies readonly (keyof TaskStepRow)[];

export interface TaskStepReading extends Pick<TaskStepRow, (typeof STEP_COLUMNS)[number]> {
  /** JSON of what a step that waits says of itself; null for any other. */
  waiting: string | null;
}

export interface TaskReading extends Pick<TaskRow, (typeof TASK_COLUMNS)[number]> {
  /** Since when it could be worked on and nobody does; null while somebody does, it waits, or that is no long time yet. */
  unattended_since: DatabaseBigint | null;
  /** Those that have begun, in the order in which they did. */
  steps: readonly TaskStepReading[];
}

type TaskRowReading = Omit<TaskReading, 'steps'>;

/** Workers look for due tasks every five seconds at most: what is due for longer was passed over by all of them. */
const UNATTENDED_AFTER_US = 15_000_000;

/** Whose instance this is or was: deleted ones count. Undefined where there never was one of that id. */
export async function readInstanceOwner(executor: Knex, instanceId: string): Promise<string | undefined> {
  if (!isUuid(instanceId)) return undefined;
  const row = await executor<InstanceRow>('instances').where({ id: instanceId }).first('tenant_id');
  return row?.tenant_id ?? undefined;
}

/** A page of the tasks of an instance, the newest first. A marker that is no task of it gives an empty page. */
export async function listTasks(
  executor: Knex,
  page: { instanceId: string; limit: number; marker?: string | undefined },
): Promise<TaskReading[]> {
  const { instanceId, limit, marker } = page;
  const query = executor<TaskRow>('tasks').where({ instance_id: instanceId });
  if (marker !== undefined) {
    const last = await executor<TaskRow>('tasks').where({ instance_id: instanceId, id: marker }).first('id', 'created');
    if (last === undefined) return [];
    query.where((older) => {
      older.where('created', '<', String(last.created)).orWhere((same) => {
        same.where('created', String(last.created)).where('id', '<', last.id);
      });
    });
  }
  const rows: TaskRowReading[] = await query
    .orderBy([
      { column: 'created', order: 'desc' },
      { column: 'id', order: 'desc' },
    ])
    .limit(limit)
    .select(...TASK_COLUMNS, unattendedSince(executor));
  return await withSteps(executor, rows);
}

/** One task of an instance; undefined where it has none of that id. */
export async function readTask(
  executor: Knex,
  { instanceId, taskId }: { instanceId: string; taskId: string },
): Promise<TaskReading | undefined> {
  if (!isUuid(taskId)) return undefined;
  const rows: TaskRowReading[] = await executor<TaskRow>('tasks')
    .where({ id: taskId, instance_id: instanceId })
    .select(...TASK_COLUMNS, unattendedSince(executor));
  return (await withSteps(executor, rows))[0];
}

/** Of a task that holds its instance's slot: one that stands behind another is not to be worked on. */
function unattendedSince(executor: Knex): Knex.Raw {
  const latest = dialectOf(executor) === 'mysql' ? 'GREATEST' : 'MAX';
  const due = `${latest}(tasks.updated, COALESCE(tasks.wake_at, 0), COALESCE(tasks.lease_until, 0))`;
  return executor.raw(
    `CASE WHEN tasks.state IN (${UNFINISHED_STATES.map(() => '?').join(', ')}) AND ${due} + ? < ?
      AND EXISTS (SELECT 1 FROM instances WHERE instances.id = tasks.instance_id AND instances.active_task_id = tasks.id)
      THEN ${due} END AS unattended_since`,
    [...UNFINISHED_STATES, UNATTENDED_AFTER_US, dbNow(executor)],
  );
}

async function withSteps(executor: Knex, rows: readonly TaskRowReading[]): Promise<TaskReading[]> {
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  const steps: TaskStepReading[] = await executor('task_steps')
    .whereIn('task_id', ids)
    .orderBy(['task_id', 'started'])
    .select([...STEP_COLUMNS, executor.raw("CASE WHEN state = 'intent' THEN output END AS waiting")]);
  return rows.map((row) => ({ ...row, steps: steps.filter(({ task_id }) => task_id === row.id) }));
}
