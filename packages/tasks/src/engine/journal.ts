import { isDeepStrictEqual } from 'node:util';
import {
  type Catalog,
  dbNow,
  dialectOf,
  type InstanceRow,
  type TaskRow,
  type TaskStepRow,
  withStatement,
  withTransaction,
} from '@trove/catalog';
import type { Knex } from 'knex';
import { forUpdate } from '../row_locks.ts';
import type { Json, TaskState } from '../types.ts';
import type { Standing } from './decide.ts';
import { type Lease, readStanding, staleFence } from './lease.ts';
import { type JournalEntry, type StoredError, toJournalEntry, type Unfinished, unfinishedOutput } from './task_row.ts';

/** What a journal write is made under. */
export interface Held {
  readonly catalog: Catalog;
  readonly owner: string;
  readonly lease: Lease;
}

type TaskChanges = Partial<Record<keyof TaskRow, string | number | null | Knex.Raw>>;
type StepChanges = Partial<Record<keyof TaskStepRow, string | number | null | Knex.Raw>>;

/**
 * One transaction on the task's row and journal. Its first statement writes the task's row under fence and owner, which locks
 * it against a take-over until the commit: where that touches no row, nothing is written and it rejects with `STALE_FENCE`.
 */
function journalled<T>(held: Held, work: (tx: Knex.Transaction) => Promise<T>): Promise<T> {
  return withTransaction(held.catalog, async (tx) => {
    await changeTask(tx, held, {});
    return await work(tx);
  });
}

/** Writes the task's row under fence and owner; 0 rows is `STALE_FENCE`. */
export async function changeTask(executor: Knex, held: Held, changes: TaskChanges): Promise<void> {
  const changed = await taskOf(executor, held).update({ ...changes, updated: dbNow(executor) });
  if (changed === 0) throw staleFence();
}

/** The task's row where it is held by this worker. */
function taskOf(executor: Knex, { lease, owner }: Held): Knex.QueryBuilder {
  return executor('tasks').where({ id: lease.taskId, fence: lease.fence, lease_owner: owner });
}

/** Locks the instance's row where the fence on it is still the task's; 0 rows is `STALE_FENCE`. */
export async function checkInstanceFence(tx: Knex.Transaction, { lease }: Held): Promise<void> {
  const current = await tx<InstanceRow>('instances')
    .where({ id: lease.instanceId, active_task_id: lease.taskId, fence: lease.fence })
    .update({ fence: tx.raw('fence') });
  if (current === 0) throw staleFence();
}

/** A step's transaction: the instance's fence first, then the task's row, so that another Galera node sees the conflict too. */
export function fencedTransaction<T>(held: Held, work: (tx: Knex.Transaction) => Promise<T>): Promise<T> {
  return withTransaction(held.catalog, async (tx) => {
    await checkInstanceFence(tx, held);
    await changeTask(tx, held, {});
    return await work(tx);
  });
}

export async function readJournal(held: Held): Promise<Map<string, JournalEntry>> {
  const rows = await held.catalog.knex<TaskStepRow>('task_steps').where({ task_id: held.lease.taskId }).select();
  return new Map(rows.map((row) => [row.name, toJournalEntry(row)]));
}

async function standing(tx: Knex.Transaction, { lease }: Held): Promise<Standing> {
  const current = await readStanding(tx, lease.taskId);
  if (current === undefined) throw staleFence();
  return current;
}

async function changeStep(
  tx: Knex.Transaction,
  { lease }: Pick<Held, 'lease'>,
  name: string,
  changes: StepChanges,
): Promise<void> {
  await tx('task_steps').where({ task_id: lease.taskId, name }).update(changes);
}

/**
 * Before the first try of a step. `stepNames` are those of the whole task, for whoever follows it. A wake until now is none
 * of this step's, which has not looked yet.
 */
export function writeIntent(held: Held, name: string, token: string, stepNames: readonly string[]): Promise<void> {
  return withTransaction(held.catalog, async (tx) => {
    await changeTask(tx, held, { step: name, attempt: 1, step_names: JSON.stringify(stepNames), wake_at: null });
    const times = { started: dbNow(tx), finished: null };
    await tx('task_steps').insert({
      task_id: held.lease.taskId,
      name,
      state: 'intent',
      token,
      output: null,
      attempts: 0,
      ...times,
    });
  });
}

export function writeDone(held: Held, name: string, output: Json): Promise<Standing> {
  return journalled(held, async (tx) => {
    await changeStep(tx, held, name, { state: 'done', output: JSON.stringify(output), finished: dbNow(tx) });
    return await standing(tx, held);
  });
}

/** How a task is put down. `changes` go on the step; null where it stays as it is. */
export interface PutDown {
  readonly ms: number;
  readonly step: string;
  readonly changes: StepChanges | null;
  readonly attempt: number;
  /** Whether a cancel keeps it from being put down. */
  readonly heedsCancel: boolean;
}

/**
 * Puts the task down until `ms` from now, or its deadline, and gives the lease back. `woken`: somebody has woken it since it
 * was taken or its step began, and it is due at once. Where its deadline has passed, or a cancel counts, nothing is written
 * and the standing comes back. All of it is asked in the UPDATE that puts it down: what others write comes before or after.
 */
export async function writeWait(held: Held, down: PutDown): Promise<Standing | 'waiting' | 'woken'> {
  const { changes } = down;
  const written =
    changes === null
      ? await withStatement(held.catalog, (knex) => putDownUndisturbed(knex, held, down))
      : await withTransaction(held.catalog, async (tx) => {
          const count = await putDownUndisturbed(tx, held, down);
          if (count === 1) await changeStep(tx, held, down.step, changes);
          return count;
        });
  return written === 1 ? 'waiting' : await putDownDisturbed(held, down);
}

async function putDownUndisturbed(executor: Knex, held: Held, { ms, attempt, heedsCancel }: PutDown): Promise<number> {
  const now = dbNow(executor);
  const least = dialectOf(executor) === 'mysql' ? 'LEAST' : 'MIN';
  return await taskOf(executor, held)
    .whereNull('wake_at')
    .where('deadline', '>=', now)
    .modify((query) => void (heedsCancel && query.where({ cancel_requested: 0 })))
    .update({
      ...{ state: 'waiting', attempt, lease_owner: null, lease_until: null, updated: now },
      wake_at: executor.raw(`${least}(? + ?, deadline + 1)`, [now, Math.ceil(ms * 1000)]),
    });
}

/** Its row is locked first, so that it is one of these: lost, woken, out of time or cancelled. */
function putDownDisturbed(held: Held, { step, changes, attempt, heedsCancel }: PutDown): Promise<Standing | 'woken'> {
  return journalled(held, async (tx) => {
    const current = await standing(tx, held);
    if (current.pastDeadline || (current.cancelRequested && heedsCancel)) return current;
    // What the step told is told again at once, and its note may have been amended since this worker has read it.
    const { output: _told, ...others } = changes ?? {};
    if (Object.keys(others).length > 0) await changeStep(tx, held, step, others);
    await putDown(tx, held, { state: 'waiting', attempt }, 0);
    return 'woken';
  });
}

/** Puts a compensating task down until the next try of an undo. */
export function writeUndoWait(held: Held, ms: number, attempt: number): Promise<void> {
  return withStatement(held.catalog, (knex) => putDown(knex, held, { attempt }, ms));
}

/** A task that this release cannot resume: looked at again after `ms`, by whoever is there then. */
export function writeParked(held: Held, error: StoredError, ms: number, state: TaskState): Promise<void> {
  const changes =
    state === 'compensating' ? { error: JSON.stringify(error) } : { error: JSON.stringify(error), state: 'waiting' };
  return withStatement(held.catalog, (knex) => putDown(knex, held, changes, ms));
}

async function putDown(executor: Knex, held: Held, changes: TaskChanges, ms: number): Promise<void> {
  const wakeAt = executor.raw('? + ?', [dbNow(executor), Math.ceil(ms * 1000)]);
  await changeTask(executor, held, { ...changes, wake_at: wakeAt, lease_owner: null, lease_until: null });
}

/** A step that only cleans up is given up. */
export function writeLeft(held: Held, name: string): Promise<Standing> {
  return journalled(held, async (tx) => {
    await changeStep(tx, held, name, { state: 'failed', attempts: tx.raw('attempts + 1'), finished: dbNow(tx) });
    return await standing(tx, held);
  });
}

/** Under the instance's fence too: what is noted before a call is what keeps a second worker from making it. */
export function writeNote(held: Held, name: string, unfinished: Unfinished): Promise<void> {
  return fencedTransaction(held, (tx) => changeStep(tx, held, name, { output: unfinishedOutput(unfinished) }));
}

/**
 * What came of something that a try has left open, in the place of its note, whoever holds the task by now; the task is woken.
 * So it asks neither for fence nor for owner, but for that very note. False: the step has another, or has ended.
 */
export function amendNote({ catalog, lease }: Held, name: string, noted: Json, value: Json): Promise<boolean> {
  return withTransaction(catalog, async (tx) => {
    const task = tx<TaskRow>('tasks').where({ id: lease.taskId }).whereIn('state', ['waiting', 'running']);
    if ((await forUpdate(tx, task.clone().first('id'))) === undefined) return false;
    const row = await tx<TaskStepRow>('task_steps').where({ task_id: lease.taskId, name, state: 'intent' }).first();
    const entry = row && toJournalEntry(row);
    if (entry === undefined || !isDeepStrictEqual(entry.noted, noted)) return false;
    await changeStep(tx, { lease }, name, { output: unfinishedOutput({ progress: entry.progress, noted: value }) });
    const now = dbNow(tx);
    await task.update({ wake_at: now, updated: now });
    return true;
  });
}

/** The step has failed for good, or none has and the task is cancelled or out of time: from here on the task goes back. */
export function writeCompensating(
  held: Held,
  failedStep: string | null,
  error: StoredError | null,
  deadlineMs: number,
): Promise<void> {
  return journalled(held, async (tx) => {
    if (failedStep !== null) {
      await changeStep(tx, held, failedStep, {
        state: 'failed',
        attempts: tx.raw('attempts + 1'),
        finished: dbNow(tx),
      });
    }
    await changeTask(tx, held, {
      state: 'compensating',
      attempt: 0,
      error: error && JSON.stringify(error),
      deadline: tx.raw('? + ?', [dbNow(tx), deadlineMs * 1000]),
    });
  });
}

export function writeUndone(held: Held, name: string): Promise<Standing> {
  return journalled(held, async (tx) => {
    await changeStep(tx, held, name, { state: 'undone', finished: dbNow(tx) });
    await changeTask(tx, held, { step: name, attempt: 0 });
    return await standing(tx, held);
  });
}

/** Gives the lease back with the state as it is, so that another worker goes on at once. A lost lease is left as it is. */
export async function releaseLease(held: Held): Promise<void> {
  await withStatement(held.catalog, (knex) =>
    taskOf(knex, held).update({ lease_owner: null, lease_until: null, updated: dbNow(knex) }),
  );
}
