import type { Knex } from 'knex';
import { dbNow } from '../database_time.ts';
import type { TaskRow } from '../tables.ts';

export interface SlotHandedOver {
  /** False where another task holds the slot, or none: then nothing is changed. */
  readonly moved: boolean;
  /** Whose slot it is from now on; null where nobody has waited for this holder. */
  readonly successor: string | null;
}

/**
 * Takes the slot from a holder that has ended: the oldest task waiting for it gets the slot, or none. By one that has locked
 * the instance's row, so that nobody queues up behind the holder meanwhile.
 */
export async function handOverSlot(
  tx: Knex.Transaction,
  { instanceId, holder }: { readonly instanceId: string; readonly holder: string },
): Promise<SlotHandedOver> {
  const next = await tx<TaskRow>('tasks')
    .where({ after_task: holder, state: 'pending' })
    .orderBy('created')
    .first('id');
  const successor = next?.id ?? null;
  const moved = await tx('instances')
    .where({ id: instanceId, active_task_id: holder })
    .update({ active_task_id: successor });
  if (moved === 0) return { moved: false, successor: null };
  if (successor !== null) await startClock(tx, successor);
  return { moved: true, successor };
}

/** A successor's time begins when it gets the slot: what its predecessor took is not taken off it, and is no time unattended. */
async function startClock(tx: Knex.Transaction, taskId: string): Promise<void> {
  const now = dbNow(tx);
  await tx('tasks')
    .where({ id: taskId })
    .update({ deadline: tx.raw('deadline - created + ?', [now]), updated: now });
}
