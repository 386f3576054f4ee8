import { newUuid } from '@trove/common';
import type { Knex } from 'knex';
import { troveNow } from '../database_time.ts';
import { dialectOf } from '../dialect.ts';
import type { QuotaUsageRow } from '../tables.ts';
import { QUOTA_RESOURCES } from './quota.ts';

/** Under lock, in the one order; fewer than all where some were never written. */
export async function readUsages(tx: Knex.Transaction, projectId: string): Promise<QuotaUsageRow[]> {
  const query = tx<QuotaUsageRow>('quota_usages')
    .where({ tenant_id: projectId })
    .whereIn('resource', [...QUOTA_RESOURCES])
    .orderBy('resource')
    .select('*');
  return await (dialectOf(tx) === 'mysql' ? query.forUpdate() : query);
}

/**
 * Writes those that are not there as not counted yet: what is not there cannot be locked. The upsert locks a row that another
 * transaction inserted meanwhile for writing at once; a plain read lock would deadlock.
 */
export async function insertMissing(tx: Knex.Transaction, projectId: string): Promise<void> {
  for (const resource of QUOTA_RESOURCES) {
    await tx('quota_usages')
      .insert({
        id: newUuid(),
        tenant_id: projectId,
        resource,
        in_use: null,
        reserved: 0,
        created: troveNow(tx),
        updated: troveNow(tx),
      })
      .onConflict(['tenant_id', 'resource'])
      .merge(['resource']);
  }
}
