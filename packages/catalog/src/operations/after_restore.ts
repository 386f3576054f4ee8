import type { Knex } from 'knex';
import type { Catalog } from '../catalog.ts';
import { dbNow } from '../database_time.ts';
import { holdReconciler } from '../reconcile/reconciler_lease.ts';
import type { TaskRow } from '../tables.ts';
import { withTransaction } from '../transaction.ts';

const ENDED: readonly TaskRow['state'][] = ['done', 'failed', 'cancelled'];
const RESTORED = { code: 'CONFLICT', message: 'The catalog was restored from a backup that was made meanwhile.' };

/**
 * Makes a restored catalog fit to be worked on. What was under way at the backup has ended since, or has not: nobody may go on
 * with it, and undoing it could take away what serves today. So it ends as failed, the slots are free, fences are ahead of what
 * guests have seen, also where this very backup was restored before, and the reconciler removes nothing until it is told to.
 * Returns how many tasks it ended.
 */
export function afterRestore(catalog: Catalog): Promise<number> {
  return withTransaction(catalog, async (tx) => {
    await tx('instances')
      .where({ deleted: 0 })
      .update({ active_task_id: null, fence: fenceAhead(tx) });
    await holdReconciler(tx);
    return await tx<TaskRow>('tasks')
      .whereNotIn('state', ENDED)
      .update({
        state: 'failed',
        error: JSON.stringify(RESTORED),
        lease_owner: null,
        lease_until: null,
        wake_at: null,
      });
  });
}

/**
 * Guests refuse a fence that is below the highest that they have seen. A fence grows by one with each lease, so the time in
 * microseconds is above all that there were, and a later restore is above an earlier one.
 */
function fenceAhead(tx: Knex): Knex.Raw {
  const now = dbNow(tx);
  return tx.raw('CASE WHEN fence < ? THEN ? ELSE fence + 1 END', [now, now]);
}
