import type { Knex } from 'knex';
import type { Catalog } from '../catalog.ts';
import { dbNow } from '../database_time.ts';
import { retireKeysOfUpgrades } from '../keys/key_operations.ts';
import { holdReconciler } from '../reconcile/reconciler_lease.ts';
import type { TaskRow } from '../tables.ts';
import { ENDED_STATES } from '../task_states.ts';
import { withTransaction } from '../transaction.ts';
import { eraseTaskSecrets } from './erase_task_secrets.ts';
import { recordFault } from './record_fault.ts';
import { commitQuota, settleGrowth } from './settle_quota.ts';

const RESTORED = { code: 'CONFLICT', message: 'The catalog was restored from a backup that was made meanwhile.' };

interface UnderWay {
  readonly id: string;
  readonly kind: string;
  readonly instance_id: string;
  readonly tenant_id: string | null;
  readonly active_task_id: string | null;
  /** Null where there is no row of the instance. */
  readonly deleted: number | null;
}

/**
 * Makes a restored catalog fit to be worked on. What was under way at the backup has ended since, or has not: nobody may go on
 * with it, and undoing it could take away what serves today. So it ends as failed, its instances say so to their tenants and
 * are charged for as they stand, the slots are free, guests are asked under the keys that count, fences are ahead of what
 * guests have seen, also where this very backup was restored before, and the reconciler removes nothing until it is told to.
 * What an api accepts meanwhile all the same either ends with the rest or begins afterwards: no instance is left to a task that
 * nobody can take. Returns how many tasks it ended.
 */
export function afterRestore(catalog: Catalog): Promise<number> {
  return withTransaction(catalog, async (tx) => {
    const first = await readUnderWay(tx);
    await settleReservations(tx, first);
    await tx('instances')
      .where({ deleted: 0 })
      .update({ active_task_id: null, fence: fenceAhead(tx) });
    await retireKeysOfUpgrades(tx);
    await holdReconciler(tx);
    // Read again behind the lock. Whoever has a slot now is of an instance that was created since.
    const underWay = (await readUnderWay(tx)).filter(({ id, active_task_id }) => active_task_id !== id);
    const ids = underWay.map(({ id }) => id);
    const read = new Set(first.map(({ id }) => id));
    await settleReservations(
      tx,
      underWay.filter(({ id }) => !read.has(id)),
    );
    const ended = await tx<TaskRow>('tasks')
      .whereIn('id', ids)
      .update({
        ...{ state: 'failed', error: JSON.stringify(RESTORED), updated: dbNow(tx) },
        ...{ lease_owner: null, lease_until: null, wake_at: null },
      });
    await eraseTaskSecrets(tx, ids);
    for (const { instance_id: instanceId, kind, deleted } of underWay) {
      if (deleted !== 0) continue;
      const { code, message } = RESTORED;
      await recordFault(tx, { instanceId, message, details: `${kind}: ${code}: ${message}` });
    }
    return ended;
  });
}

async function readUnderWay(tx: Knex.Transaction): Promise<readonly UnderWay[]> {
  return await tx('tasks')
    .leftJoin('instances', 'instances.id', 'tasks.instance_id')
    .whereNotIn('tasks.state', ENDED_STATES)
    .orderBy(['instances.tenant_id', 'instances.id', 'tasks.created'])
    .select('tasks.id', 'tasks.kind', 'tasks.instance_id')
    .select('instances.tenant_id', 'instances.active_task_id', 'instances.deleted');
}

/** No task holds a reservation any more: an instance is charged for as its row stands. */
async function settleReservations(tx: Knex.Transaction, underWay: readonly UnderWay[]): Promise<void> {
  const ofLive = underWay.filter(({ deleted }) => deleted === 0);
  const owners = new Map(ofLive.map((row) => [row.instance_id, row.tenant_id ?? '']));
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
