import type { Knex } from 'knex';
import type { InstanceRow, ResourceRow, TaskRow } from '../tables.ts';

/** Frees a slot whose task has ended or was never there. False where it is held by one that lives, or by none. */
export async function freeDeadSlot(tx: Knex.Transaction, instanceId: string): Promise<boolean> {
  const row = await tx<InstanceRow>('instances').where({ id: instanceId }).first('active_task_id');
  const holder = row?.active_task_id ?? null;
  if (holder === null) return false;
  const task = await tx<TaskRow>('tasks').where({ id: holder }).first('state');
  if (task !== undefined && !['done', 'failed', 'cancelled'].includes(task.state)) return false;
  const freed = await tx('instances')
    .where({ id: instanceId, active_task_id: holder })
    .update({ active_task_id: null });
  return freed === 1;
}

/** What stood as this state is not there, or not any more. */
export async function settleGone(
  executor: Knex,
  { token, state }: Pick<ResourceRow, 'token' | 'state'>,
): Promise<void> {
  await executor<ResourceRow>('resources').where({ token, state }).update({ state: 'gone' });
}
