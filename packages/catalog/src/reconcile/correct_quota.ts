import type { Knex } from 'knex';
import type { CatalogFacts } from '../checks/facts.ts';
import { countQuota, type RamOf } from '../checks/quota_difference.ts';
import { troveNow } from '../database_time.ts';
import { countBackups, growthReservationId, QUOTA_RESOURCES, type QuotaResource } from '../operations/quota.ts';
import { lockUsages } from '../operations/usage_rows.ts';
import type { InstanceRow, QuotaUsageRow, ReservationRow } from '../tables.ts';
import { UNFINISHED_STATES } from '../task_states.ts';

/**
 * Counts a project anew under the lock that every create and delete takes, and writes what is wrong. Returns the resources
 * that were. Usage that was never counted is left to the first reservation, memory that nobody can count as it is.
 */
export async function correctQuota(
  tx: Knex.Transaction,
  { projectId, ramOf }: { readonly projectId: string; readonly ramOf: RamOf },
): Promise<readonly QuotaResource[]> {
  const usages = await lockUsages(tx, projectId);
  const instances = await tx<InstanceRow>('instances')
    .where({ tenant_id: projectId, deleted: 0 })
    .select('id', 'flavor_id', 'volume_size');
  const atWork = await instancesAtWork(tx, projectId);
  const reserved = await reservedOf(tx, usages);
  await giveBackGrowth(
    tx,
    instances.filter(({ id }) => !atWork.has(id)),
    reserved,
  );
  const counted = countQuota({ instances, backups: await countBackups(tx, projectId), reserved, atWork }, ramOf);
  const corrected: QuotaResource[] = [];
  for (const resource of QUOTA_RESOURCES) {
    const [usage, right] = [usages.find((row) => row.resource === resource), counted[resource]];
    if (usage === undefined || usage.in_use === null || usage.reserved === null || right === undefined) continue;
    if (usage.in_use === right.inUse && usage.reserved === right.reserved) continue;
    const values = { in_use: right.inUse, reserved: right.reserved, updated: troveNow(tx) };
    await tx('quota_usages').where({ id: usage.id }).update(values);
    corrected.push(resource);
  }
  return corrected;
}

async function instancesAtWork(tx: Knex.Transaction, projectId: string): Promise<ReadonlySet<string>> {
  const ids: string[] = await tx('tasks')
    .join('instances', 'instances.id', 'tasks.instance_id')
    .whereIn('tasks.state', UNFINISHED_STATES)
    .where({ 'instances.tenant_id': projectId, 'instances.deleted': 0 })
    .pluck('instances.id');
  return new Set(ids);
}

/** What a resize that ended without settling it left: otherwise the next one of its instance would give it back once more. */
async function giveBackGrowth(
  tx: Knex.Transaction,
  idle: readonly Pick<InstanceRow, 'id'>[],
  reserved: CatalogFacts['reserved'],
): Promise<void> {
  const ids = idle.flatMap(({ id }) => QUOTA_RESOURCES.map((resource) => growthReservationId(id, resource)));
  const left = ids.filter((id) => reserved.has(id));
  if (left.length === 0) return;
  await tx('reservations')
    .whereIn('id', left)
    .update({ status: 'Rolled Back', updated: troveNow(tx) });
}

/** All that is reserved of these usages; what instances of the project stand behind it is for the count to say. */
async function reservedOf(
  tx: Knex.Transaction,
  usages: readonly Pick<QuotaUsageRow, 'id'>[],
): Promise<CatalogFacts['reserved']> {
  const rows = await tx<ReservationRow>('reservations')
    .whereIn(
      'usage_id',
      usages.map((usage) => usage.id),
    )
    .where({ status: 'Reserved' })
    .select('id', 'delta');
  return new Map(rows.map((row) => [row.id, row.delta]));
}
