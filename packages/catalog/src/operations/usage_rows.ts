import { newUuid } from '@trove/common';
import type { Knex } from 'knex';
import { troveNow } from '../database_time.ts';
import { dialectOf } from '../dialect.ts';
import type { QuotaUsageRow } from '../tables.ts';
import { WriteFirst } from '../transaction.ts';
import { QUOTA_RESOURCES } from './quota.ts';

/** Whoever has locked this one of a project's usages may read and write them all. */
const [FIRST] = QUOTA_RESOURCES;

/**
 * A project's usages in their order, this transaction's alone until it ends; `in_use` is NULL where they have not been counted
 * yet. None of the project ''. On MySQL one row stands for all and is looked up by its whole key: a query for several locks
 * them in the order in which the optimizer likes to read, other projects' rows among them while the table is small, and two
 * such queries deadlock.
 */
export async function lockUsages(tx: Knex.Transaction, projectId: string): Promise<readonly QuotaUsageRow[]> {
  if (projectId === '') return [];
  // Rows that come between the two reads are not locked.
  const isLocked = dialectOf(tx) === 'sqlite' || (await lockFirst(tx, projectId));
  const rows = isLocked ? await readUsages(tx, projectId) : [];
  if (rows.length < QUOTA_RESOURCES.length)
    throw new WriteFirst(`quota_usages of ${projectId}`, (knex) => insertMissing(knex, projectId));
  return rows;
}

/** Without a lock; fewer than all where some were never written. */
export async function readUsages(executor: Knex, projectId: string): Promise<readonly QuotaUsageRow[]> {
  return await executor<QuotaUsageRow>('quota_usages')
    .where({ tenant_id: projectId })
    .whereIn('resource', [...QUOTA_RESOURCES])
    .orderBy('resource')
    .select('*');
}

async function lockFirst(tx: Knex.Transaction, projectId: string): Promise<boolean> {
  const own = { tenant_id: projectId, resource: FIRST };
  return (await tx<QuotaUsageRow>('quota_usages').where(own).forUpdate().first('id')) !== undefined;
}

/** As not counted yet. Where it is not the first to insert them, an upsert waits for a lock that it may have at once. */
function insertMissing(knex: Knex, projectId: string): PromiseLike<unknown> {
  const now = troveNow(knex);
  const row = { tenant_id: projectId, in_use: null, reserved: 0, created: now, updated: now };
  return knex('quota_usages')
    .insert(QUOTA_RESOURCES.map((resource) => ({ ...row, id: newUuid(), resource })))
    .onConflict(['tenant_id', 'resource'])
    .merge(['resource']);
}
