import { type Catalog, dbNow, type InstanceRow, type TaskRow, type TaskStepRow, withTransaction } from '@trove/catalog';
import { newUuid } from '@trove/common';
import type { Faults } from '../src/engine/options.ts';
import { type FiledTask, fileDelete, fileTask, type NewTask } from '../src/index.ts';
import type { BuildPlan } from './kinds.ts';

export const PROJECT = 'a'.repeat(32);

export async function newInstance(catalog: Catalog): Promise<string> {
  const id = newUuid();
  await catalog.knex('instances').insert({ id, tenant_id: PROJECT, name: 'one', deleted: 0 });
  return id;
}

export function buildTask(instanceId: string, plan: BuildPlan = {}, more: Partial<NewTask> = {}): NewTask {
  const params = { ...plan };
  return { kind: 'build', instanceId, projectId: PROJECT, params, deadlineMs: 600_000, codeVersion: 1, ...more };
}

export async function fileBuild(
  catalog: Catalog,
  instanceId: string,
  plan: BuildPlan = {},
  more: Partial<NewTask> = {},
): Promise<FiledTask> {
  return await withTransaction(catalog, (tx) => fileTask(tx, buildTask(instanceId, plan, more)));
}

export async function fileRemove(
  catalog: Catalog,
  instanceId: string,
  more: Partial<NewTask> = {},
): Promise<FiledTask> {
  return await withTransaction(catalog, (tx) => fileDelete(tx, removeTask(instanceId, more)));
}

export function removeTask(instanceId: string, more: Partial<NewTask> = {}): NewTask {
  return { kind: 'remove', instanceId, projectId: PROJECT, params: {}, deadlineMs: 600_000, codeVersion: 1, ...more };
}

export async function taskOf(catalog: Catalog, id: string): Promise<TaskRow> {
  const row = await catalog.knex<TaskRow>('tasks').where({ id }).first();
  if (row === undefined) throw new Error('no such task');
  return row;
}

export async function instanceOf(catalog: Catalog, id: string): Promise<InstanceRow> {
  const row = await catalog.knex<InstanceRow>('instances').where({ id }).first();
  if (row === undefined) throw new Error('no such instance');
  return row;
}

/** The journal as `name: state`, in the order in which the steps began. */
export async function journalOf(catalog: Catalog, id: string): Promise<Record<string, string>> {
  const rows = await catalog.knex<TaskStepRow>('task_steps').where({ task_id: id }).orderBy('started').select();
  return Object.fromEntries(rows.map(({ name, state }) => [name, state]));
}

/** Polls until `read` gives something, and fails after `withinMs` with what was awaited. */
export async function until<T>(
  what: string,
  read: () => Promise<T | undefined | false>,
  withinMs = 40_000,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const found = await read();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}

/** Faults by which each task's deadline is over `ms` after the step first began, however long it took to come there. */
export function deadlineAt(catalog: Catalog, step: string, ms: number): Faults {
  const set = new Set<string>();
  return async (point) => {
    if (set.has(point.taskId) || point.step !== step || point.at !== 'before_run') return;
    set.add(point.taskId);
    const deadline = catalog.knex.raw('? + ?', [dbNow(catalog.knex), ms * 1000]);
    await catalog.knex('tasks').where({ id: point.taskId }).update({ deadline });
  };
}

export async function ended(catalog: Catalog, id: string, withinMs?: number): Promise<TaskRow> {
  return await until(
    `the end of task ${id}`,
    async () => {
      const row = await taskOf(catalog, id);
      return ['done', 'failed', 'cancelled'].includes(row.state) && row;
    },
    withinMs,
  );
}
