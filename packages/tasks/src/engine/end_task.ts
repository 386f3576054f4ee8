import { handOverSlot, withTransaction } from '@trove/catalog';
import type { Knex } from 'knex';
import { changeTask, checkInstanceFence } from './journal.ts';
import { outputsOf } from './outside_call.ts';
import type { StoredError } from './task_row.ts';
import type { Outcome, Work } from './work.ts';

export type Ending =
  | { readonly state: 'done' }
  | { readonly state: 'cancelled' }
  | { readonly state: 'failed'; readonly error: StoredError; readonly left: readonly string[] };

/** The last write: the kind's hook, the task's end and the slot's hand-over to the successor, all or nothing. */
export async function endTask(work: Work, ending: Ending): Promise<Outcome> {
  const { held, task } = work;
  await work.faults({ taskId: task.id, kind: task.kind, step: null, at: 'before_end' });
  const successor = await withTransaction(held.catalog, async (tx) => {
    await callHook(tx, work, ending);
    await checkInstanceFence(tx, held);
    const handed = await handOverSlot(tx, { instanceId: task.instanceId, holder: task.id });
    await changeTask(tx, held, { ...endOf(ending), wake_at: null, lease_owner: null, lease_until: null });
    return handed.successor;
  });
  work.logger.info('task ended', { state: ending.state, successor });
  return { is: 'ended', successor };
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
