import type { Catalog } from '../catalog.ts';
import { holdReconciler } from '../reconcile/reconciler_lease.ts';
import type { TaskRow } from '../tables.ts';
import { withTransaction } from '../transaction.ts';

const ENDED: readonly TaskRow['state'][] = ['done', 'failed', 'cancelled'];
/** More than an instance can have had since the backup: guests refuse a fence that is lower than the highest they have seen. */
const FENCES_AHEAD = 1_000_000;
const RESTORED = { code: 'CONFLICT', message: 'The catalog was restored from a backup that was made meanwhile.' };

/**
 * Makes a restored catalog fit to be worked on. What was under way at the backup has ended since, or has not: nobody may go on
 * with it, and undoing it could take away what serves today. So it ends as failed, the slots are free, fences are ahead of what
 * guests have seen, and the reconciler removes nothing until it is told to. Returns how many tasks it ended.
 */
export function afterRestore(catalog: Catalog): Promise<number> {
  return withTransaction(catalog, async (tx) => {
    await tx('instances').where({ deleted: 0 }).update({ active_task_id: null }).increment('fence', FENCES_AHEAD);
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
