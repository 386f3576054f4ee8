import { dbNow, type TaskRow } from '@trove/catalog';
import type { Knex } from 'knex';

/**
 * Makes the waiting tasks of these instances due now: one UPDATE for a whole batch of reports. One that runs at this moment
 * remembers it: its step, which may have looked before what is reported here, is not put down for long. Both states are
 * named, and both hold before and after a worker puts the task down: where its row is locked for that, InnoDB decides by the
 * row before whether to wait for the row after.
 */
export async function wakeInstances(tx: Knex.Transaction, instanceIds: readonly string[]): Promise<void> {
  if (instanceIds.length === 0) return;
  const now = dbNow(tx);
  await tx<TaskRow>('tasks')
    .whereIn('state', ['waiting', 'running'])
    .whereIn('instance_id', [...instanceIds].sort())
    .where((later) => void later.whereNull('wake_at').orWhere('wake_at', '>', now))
    .update({ wake_at: now, updated: now });
}
