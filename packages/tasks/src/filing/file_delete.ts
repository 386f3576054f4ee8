import { dbNow, type InstanceRow, type TaskRow, UNFINISHED_STATES } from '@trove/catalog';
import { newUuid, TroveError } from '@trove/common';
import type { Knex } from 'knex';
import { forUpdate } from '../row_locks.ts';
import { repeatedTask, takeSlot } from './file_task.ts';
import { type FiledTask, insertTask, type NewTask } from './filed_task.ts';

/**
 * Files a delete, which alone may come while the slot is taken: then its holder is asked to stop, and the delete follows it
 * (`after_task`). A second delete finds the same task. Ring for the returned task; the engine finds the holder from there.
 * Rejects with `NOT_FOUND` where the instance is gone, `UNPROCESSABLE` and `CONFLICT` as `fileTask` does for repeated requests.
 */
export async function fileDelete(tx: Knex.Transaction, task: NewTask): Promise<FiledTask> {
  const repeated = await repeatedTask(tx, task);
  if (repeated !== undefined) return repeated;
  const holder = await lockSlot(tx, task.instanceId);
  const taskId = newUuid();
  if (holder === null) {
    await takeSlot(tx, task.instanceId, taskId);
    await insertTask(tx, taskId, task, null);
    return { taskId, instanceId: task.instanceId, repeated: false };
  }
  const earlier = await earlierDelete(tx, task, holder);
  if (earlier !== undefined) return { taskId: earlier, instanceId: task.instanceId, repeated: true };
  await requestCancel(tx, holder);
  await insertTask(tx, taskId, task, holder);
  return { taskId, instanceId: task.instanceId, repeated: false };
}

/** Locks the instance's row, so that the holder cannot end meanwhile, and says who holds the slot. */
async function lockSlot(tx: Knex.Transaction, instanceId: string): Promise<string | null> {
  const query = tx<InstanceRow>('instances').where({ id: instanceId, deleted: 0 }).first('active_task_id');
  const row = await forUpdate(tx, query);
  if (row === undefined) throw new TroveError('NOT_FOUND', `Resource ${instanceId} cannot be found.`);
  return row.active_task_id;
}

/** One that has ended does nothing more, also where the slot is its own still: then another is to follow it. */
async function earlierDelete(tx: Knex.Transaction, task: NewTask, holder: string): Promise<string | undefined> {
  const row = await tx<TaskRow>('tasks')
    .where({ instance_id: task.instanceId, kind: task.kind })
    .whereIn('state', UNFINISHED_STATES)
    .where((either) => {
      either.where({ id: holder }).orWhere({ after_task: holder });
    })
    .first('id');
  return row?.id;
}

/** The holder looks at it after each step and on waking; one that waits is woken. */
async function requestCancel(tx: Knex.Transaction, taskId: string): Promise<void> {
  const now = dbNow(tx);
  await tx<TaskRow>('tasks')
    .where({ id: taskId })
    .update({
      cancel_requested: 1,
      wake_at: tx.raw("CASE WHEN state = 'waiting' THEN ? ELSE wake_at END", [now]),
      updated: now,
    });
}
