import type { Knex } from 'knex';
import type { Catalog } from '../catalog.ts';
import { dbNow } from '../database_time.ts';
import { retireKeysOfUpgrades } from '../keys/key_operations.ts';
import { holdReconciler } from '../reconcile/reconciler_lease.ts';
import type { TaskRow } from '../tables.ts';
import { withTransaction } from '../transaction.ts';
import { recordFault } from './record_fault.ts';
import { commitQuota, settleGrowth } from './settle_quota.ts';

const ENDED: readonly TaskRow['state'][] = ['done', 'failed', 'cancelled'];
const RESTORED = { code: 'CONFLICT', message: 'The catalog was restored from a backup that was made meanwhile.' };

type UnderWay = Pick<TaskRow, 'id' | 'kind'> & { instance_id: string; tenant_id: string | null };

/**
 * Makes a restored catalog fit to be worked on. What was under way at the backup has ended since, or has not: nobody may go on
 * with it, and undoing it could take away what serves today. So it ends as failed, its instances say so to their tenants and
 * are charged for as they stand, the slots are free, guests are asked under the keys that count, fences are ahead of what
 * guests have seen, also where this very backup was restored before, and the reconciler removes nothing until it is told to.
 * Returns how many tasks it ended.
 */
export function afterRestore(catalog: Catalog): Promise<number> {
  return withTransaction(catalog, async (tx) => {
    const underWay: readonly UnderWay[] = await tx('tasks')
      .join('instances', 'instances.id', 'tasks.instance_id')
      .whereNotIn('tasks.state', ENDED)
      .where({ 'instances.deleted': 0 })
      .orderBy(['instances.tenant_id', 'instances.id', 'tasks.created'])
      .select('tasks.id', 'tasks.kind', 'tasks.instance_id', 'instances.tenant_id');
    await settleReservations(tx, underWay);
    await tx('instances')
      .where({ deleted: 0 })
      .update({ active_task_id: null, fence: fenceAhead(tx) });
    await retireKeysOfUpgrades(tx);
    await holdReconciler(tx);
    const ended = await tx<TaskRow>('tasks')
      .whereNotIn('state', ENDED)
      .update({
        ...{ state: 'failed', error: JSON.stringify(RESTORED), updated: dbNow(tx) },
        ...{ lease_owner: null, lease_until: null, wake_at: null },
      });
    for (const { instance_id: instanceId, kind } of underWay) {
      const { code, message } = RESTORED;
      await recordFault(tx, { instanceId, message, details: `${kind}: ${code}: ${message}` });
    }
    return ended;
  });
}

/** No task holds a reservation any more: an instance is charged for as its row stands. */
async function settleReservations(tx: Knex.Transaction, underWay: readonly UnderWay[]): Promise<void> {
  const owners = new Map(underWay.map((row) => [row.instance_id, row.tenant_id ?? '']));
  for (const [instanceId, projectId] of owners) {
    await commitQuota(tx, { projectId, instanceId });
    await settleGrowth(tx, { projectId, instanceId, change: {}, done: false });
  }
}

/**
 * Guests refuse a fence that is below the highest that they have seen. A fence grows by one with each lease, so the time in
 * microseconds is above all that there were, and a later restore is above an earlier one.
 */
function fenceAhead(tx: Knex): Knex.Raw {
  const now = dbNow(tx);
  return tx.raw('CASE WHEN fence < ? THEN ? ELSE fence + 1 END', [now, now]);
}
