import { dbNow, eraseTaskSecrets, handOverSlot, type TaskRow, withTransaction } from '@trove/catalog';
import type { Knex } from 'knex';
import { changeTask, checkInstanceFence } from './journal.ts';
import { outputsOf } from './outside_call.ts';
import { mustLetGo } from './run_step.ts';
import type { StoredError } from './task_row.ts';
import type { Outcome, Work } from './work.ts';

export type Ending =
  | { readonly state: 'done' }
  | { readonly state: 'cancelled' }
  | { readonly state: 'failed'; readonly error: StoredError; readonly left: readonly string[] };

const NOT_WRITTEN = 'but its end could not be written down.';

/**
 * The last write: the kind's hook, the task's end without its secrets, and the slot's hand-over to the successor, all or nothing. A hook that
 * throws is tried again with the next lease. Past both its deadlines the task ends without it, as failed: its instance is
 * then left to whoever finds that no task is at work on it.
 */
export async function endTask(work: Work, ending: Ending): Promise<Outcome> {
  const { task } = work;
  await work.faults({ taskId: task.id, kind: task.kind, step: null, at: 'before_end' });
  try {
    return await writeEnd(work, ending, (tx) => callHook(tx, work, ending));
  } catch (error) {
    if (mustLetGo(work, error) || !(await isPastBothDeadlines(work))) throw error;
    work.logger.error('task ended without its last write, which fails each time', { error });
    return await writeEnd(work, unwritten(ending));
  }
}

function unwritten(ending: Ending): Ending {
  if (ending.state === 'failed') return ending;
  const what = ending.state === 'done' ? 'All of it was done' : 'The task was cancelled';
  return { state: 'failed', error: { code: 'INTERNAL', message: `${what}, ${NOT_WRITTEN}` }, left: [] };
}

async function writeEnd(work: Work, ending: Ending, hook?: (tx: Knex.Transaction) => Promise<void>): Promise<Outcome> {
  const { held, task } = work;
  const successor = await withTransaction(held.catalog, async (tx) => {
    await hook?.(tx);
    await checkInstanceFence(tx, held);
    const handed = await handOverSlot(tx, { instanceId: task.instanceId, holder: task.id });
    await changeTask(tx, held, { ...endOf(ending), wake_at: null, lease_owner: null, lease_until: null });
    await eraseTaskSecrets(tx, [task.id]);
    return handed.successor;
  });
  work.logger.info('task ended', { state: ending.state, successor });
  return { is: 'ended', successor };
}

/** One that has turned back has its second deadline in the row. */
async function isPastBothDeadlines({ held, kind, task }: Work): Promise<boolean> {
  const { knex } = held.catalog;
  const more = knex.raw("CASE WHEN state = 'compensating' THEN 0 ELSE ? END", [kind.compensationDeadlineMs * 1000]);
  const late = await knex<TaskRow>('tasks')
    .where({ id: task.id })
    .where(knex.raw('deadline + ? < ?', [more, dbNow(knex)]))
    .first('id');
  return late !== undefined;
}

function endOf(ending: Ending): { state: string; error: string | null } {
  if (ending.state !== 'failed') return { state: ending.state, error: null };
  const { code, message } = ending.error;
  return { state: 'failed', error: JSON.stringify({ code, message, left: ending.left }) };
}

async function callHook(tx: Knex.Transaction, work: Work, ending: Ending): Promise<void> {
  const end = { task: work.task, outputs: outputsOf(work.journal) };
  if (ending.state === 'failed') {
    const { code, message } = ending.error;
    return await work.kind.onFailed(tx, { ...end, error: { code, message }, left: ending.left });
  }
  if (ending.state === 'cancelled') return await work.kind.onCancelled(tx, end);
  await work.kind.onDone(tx, end);
}
