import type { InstanceRow } from '@trove/catalog';
import { newUuid, TroveError } from '@trove/common';
import type { Knex } from 'knex';
import { type FiledTask, insertTask, type NewTask } from './filed_task.ts';
import { findRepeatedTask } from './idempotency.ts';

/**
 * Files a task and takes the instance's slot for it, in the caller's transaction. Rejects with `UNPROCESSABLE` where the slot
 * is taken or the instance is gone, or where the idempotency key came with another request before; with a retryable
 * `CONFLICT` where the same key is being filed at this moment: run the transaction again.
 */
export async function fileTask(tx: Knex.Transaction, task: NewTask): Promise<FiledTask> {
  const repeated = await repeatedTask(tx, task);
  if (repeated !== undefined) return repeated;
  const taskId = newUuid();
  if (!(await takeSlot(tx, task.instanceId, taskId))) {
    // Trove's text. What the instance shows is its caller's to look at first; this is work that no status shows.
    const reason = 'is not currently available for an action to be performed (task status was UPDATING).';
    throw new TroveError('UNPROCESSABLE', `Instance ${task.instanceId} ${reason}`);
  }
  await insertTask(tx, taskId, task, null);
  return { taskId, instanceId: task.instanceId, repeated: false };
}

export async function repeatedTask(tx: Knex.Transaction, task: NewTask): Promise<FiledTask | undefined> {
  const { idempotencyKey, requestHash, projectId } = task;
  if (idempotencyKey === undefined || requestHash === undefined) return undefined;
  return await findRepeatedTask(tx, { projectId, idempotencyKey, requestHash });
}

/** True where the slot was free and is now the task's. */
export async function takeSlot(tx: Knex.Transaction, instanceId: string, taskId: string): Promise<boolean> {
  const taken = await tx<InstanceRow>('instances')
    .where({ id: instanceId, deleted: 0 })
    .whereNull('active_task_id')
    .update({ active_task_id: taskId });
  return taken === 1;
}
