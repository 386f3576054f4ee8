import type { Knex } from 'knex';
import { handOverSlot } from '../operations/hand_over_slot.ts';
import { lockInstance } from '../operations/instance_writes.ts';
import type { ResourceRow, TaskRow } from '../tables.ts';
import { UNFINISHED_STATES } from '../task_states.ts';

/**
 * Takes the slot from a task that has ended or was never there, and gives it to the one that waits for it, if any. False where
 * it is held by one that lives, or by none.
 */
export async function freeDeadSlot(tx: Knex.Transaction, instanceId: string): Promise<boolean> {
  const holder = (await lockInstance(tx, instanceId))?.active_task_id ?? null;
  if (holder === null) return false;
  const task = await tx<TaskRow>('tasks').where({ id: holder }).first('state');
  if (task !== undefined && UNFINISHED_STATES.includes(task.state)) return false;
  return (await handOverSlot(tx, { instanceId, holder })).moved;
}

/** What stood as this state is not there, or not any more. */
export async function settleGone(
  executor: Knex,
  { token, state }: Pick<ResourceRow, 'token' | 'state'>,
): Promise<void> {
  await executor<ResourceRow>('resources').where({ token, state }).update({ state: 'gone' });
}
