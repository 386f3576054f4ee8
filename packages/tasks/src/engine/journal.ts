import { type Catalog, dbNow, type InstanceRow, type TaskRow, type TaskStepRow, withTransaction } from '@trove/catalog';
import type { Knex } from 'knex';
import type { Json, TaskState } from '../types.ts';
import type { Standing } from './decide.ts';
import { type Lease, readStanding, staleFence } from './lease.ts';
import { type JournalEntry, type StoredError, toJournalEntry, unfinishedOutput } from './task_row.ts';

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
export async function changeTask(tx: Knex.Transaction, held: Held, changes: TaskChanges): Promise<void> {
  const changed = await tx('tasks')
    .where({ id: held.lease.taskId, fence: held.lease.fence, lease_owner: held.owner })
    .update({ ...changes, updated: dbNow(tx) });
  if (changed === 0) throw staleFence();
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

async function changeStep(tx: Knex.Transaction, { lease }: Held, name: string, changes: StepChanges): Promise<void> {
  await tx('task_steps').where({ task_id: lease.taskId, name }).update(changes);
}

/** Before the first try of a step. `stepNames` are those of the whole task, for whoever follows it. */
export function writeIntent(held: Held, name: string, token: string, stepNames: readonly string[]): Promise<void> {
  return journalled(held, async (tx) => {
    await changeTask(tx, held, { step: name, attempt: 1, step_names: JSON.stringify(stepNames) });
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

/**
 * Puts the task down until `ms` from now and gives the lease back; `changes` go on the step. Where `unless` holds for what
 * others have written meanwhile, nothing is written and the standing comes back.
 */
export function writeWait(
  held: Held,
  wait: { ms: number; step: string; changes: StepChanges; attempt: number },
  unless: (standing: Standing) => boolean,
): Promise<Standing | 'waiting'> {
  return journalled(held, async (tx) => {
    const current = await standing(tx, held);
    if (unless(current)) return current;
    await changeStep(tx, held, wait.step, wait.changes);
    await putDown(tx, held, { state: 'waiting', attempt: wait.attempt }, wait.ms);
    return 'waiting';
  });
}

/** Puts a compensating task down until the next try of an undo. */
export function writeUndoWait(held: Held, ms: number, attempt: number): Promise<void> {
  return withTransaction(held.catalog, (tx) => putDown(tx, held, { attempt }, ms));
}

/** A task that this release cannot resume: looked at again after `ms`, by whoever is there then. */
export function writeParked(held: Held, error: StoredError, ms: number, state: TaskState): Promise<void> {
  const changes =
    state === 'compensating' ? { error: JSON.stringify(error) } : { error: JSON.stringify(error), state: 'waiting' };
  return withTransaction(held.catalog, (tx) => putDown(tx, held, changes, ms));
}

async function putDown(tx: Knex.Transaction, held: Held, changes: TaskChanges, ms: number): Promise<void> {
  const wakeAt = tx.raw('? + ?', [dbNow(tx), ms * 1000]);
  await changeTask(tx, held, { ...changes, wake_at: wakeAt, lease_owner: null, lease_until: null });
}

/** A step that only cleans up is given up. */
export function writeLeft(held: Held, name: string): Promise<Standing> {
  return journalled(held, async (tx) => {
    await changeStep(tx, held, name, { state: 'failed', attempts: tx.raw('attempts + 1'), finished: dbNow(tx) });
    return await standing(tx, held);
  });
}

/** Under the instance's fence too: what is noted before a call is what keeps a second worker from making it. */
export function writeNote(held: Held, name: string, note: Json): Promise<void> {
  return fencedTransaction(held, (tx) => changeStep(tx, held, name, { output: unfinishedOutput({ noted: note }) }));
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
  await withTransaction(held.catalog, (tx) =>
    tx('tasks')
      .where({ id: held.lease.taskId, fence: held.lease.fence, lease_owner: held.owner })
      .update({ lease_owner: null, lease_until: null, updated: dbNow(tx) }),
  );
}
