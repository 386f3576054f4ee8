import { dbNow, type TaskRow } from '@trove/catalog';
import type { Knex } from 'knex';

/** Makes the waiting tasks of these instances due now: one UPDATE for a whole batch of reports. */
export async function wakeInstances(tx: Knex.Transaction, instanceIds: readonly string[]): Promise<void> {
  if (instanceIds.length === 0) return;
  const now = dbNow(tx);
  await tx<TaskRow>('tasks')
    .where({ state: 'waiting' })
    .whereIn('instance_id', [...instanceIds].sort())
    .where('wake_at', '>', now)
    .update({ wake_at: now, updated: now });
}
