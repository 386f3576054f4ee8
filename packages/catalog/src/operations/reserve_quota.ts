import { TroveError } from '@trove/common';
import type { Knex } from 'knex';
import { troveNow } from '../database_time.ts';
import type { QuotaRow, QuotaUsageRow } from '../tables.ts';
import {
  countUsage,
  growthReservationId,
  QUOTA_RESOURCES,
  type QuotaAmounts,
  type QuotaChange,
  type QuotaResource,
  reservationId,
} from './quota.ts';
import { insertMissing, readUsages } from './usage_rows.ts';

export interface ReserveQuota {
  projectId: string;
  instanceId: string;
  amounts: QuotaChange;
  /** Limits of a project that has none of its own in `quotas`; −1, or none, is without a limit. */
  defaults: Partial<QuotaAmounts>;
  /** A flavor's MB, 0 for one that is gone: for usage that has to be counted first. */
  ramOf: (flavorId: string) => number;
}

interface Usage {
  id: string;
  resource: QuotaResource;
  in_use: number;
  reserved: number;
}

/**
 * Reserves what a new instance takes, before its row is inserted. Usages are locked first, so that of two creates at a time
 * the second sees what the first has taken; a usage that is missing or NULL (an adopted catalog) is counted under that lock.
 * Rejects with `QUOTA_EXCEEDED`, naming every resource that would go over.
 */
export async function reserveQuota(tx: Knex.Transaction, request: ReserveQuota): Promise<void> {
  const usages = await takeFromUsages(tx, request);
  for (const { id: usageId, resource } of usages) {
    const delta = request.amounts[resource];
    if (delta !== undefined)
      await writeReservation(tx, { id: reservationId(request.instanceId, resource), usageId, delta });
  }
}

/**
 * Reserves what a resize takes more than the instance has, before the instance is locked; `amounts` is that more, 0 where it
 * takes less. Rejects as `reserveQuota` does. `settleGrowth` ends it.
 */
export async function reserveGrowth(tx: Knex.Transaction, request: ReserveQuota): Promise<void> {
  const usages = await takeFromUsages(tx, request);
  for (const { id: usageId, resource } of usages) {
    const delta = request.amounts[resource] ?? 0;
    if (delta > 0)
      await writeReservation(tx, { id: growthReservationId(request.instanceId, resource), usageId, delta });
  }
}

async function takeFromUsages(tx: Knex.Transaction, request: ReserveQuota): Promise<readonly Usage[]> {
  const usages = await lockUsages(tx, request);
  const limits = await readLimits(tx, request);
  const over = usages.filter(({ resource, in_use, reserved }) => {
    const [amount, limit] = [request.amounts[resource] ?? 0, limits[resource] ?? -1];
    return amount > 0 && limit >= 0 && in_use + reserved + amount > limit;
  });
  if (over.length > 0) {
    const names = over.map(({ resource }) => `'${resource}'`).join(', ');
    throw new TroveError('QUOTA_EXCEEDED', `Quota exceeded for resources: [${names}].`);
  }
  await addReserved(tx, request);
  return usages;
}

/** The row of an earlier resize that has ended is written anew. */
async function writeReservation(
  tx: Knex.Transaction,
  { id, usageId, delta }: { id: string; usageId: string; delta: number },
): Promise<void> {
  const now = troveNow(tx);
  await tx('reservations')
    .insert({ id, usage_id: usageId, delta, status: 'Reserved', created: now, updated: now })
    .onConflict('id')
    .merge(['usage_id', 'delta', 'status', 'updated']);
}

async function addReserved(tx: Knex.Transaction, { projectId, amounts }: ReserveQuota): Promise<void> {
  const added = Object.entries(amounts).flat();
  if (added.length === 0) return;
  const cases = 'WHEN ? THEN ? '.repeat(added.length / 2);
  await tx('quota_usages')
    .where({ tenant_id: projectId })
    .whereIn('resource', Object.keys(amounts))
    .update({ reserved: tx.raw(`reserved + CASE resource ${cases}ELSE 0 END`, added), updated: troveNow(tx) });
}

async function readLimits(tx: Knex.Transaction, { projectId, defaults }: ReserveQuota): Promise<Partial<QuotaAmounts>> {
  const rows = await tx<QuotaRow>('quotas').where({ tenant_id: projectId }).select('resource', 'hard_limit');
  const own = Object.fromEntries(
    rows.filter((row) => row.hard_limit !== null).map((row) => [row.resource, row.hard_limit]),
  );
  return { ...defaults, ...own };
}

/** The project's usages under lock, none of them NULL. */
async function lockUsages(tx: Knex.Transaction, request: ReserveQuota): Promise<Usage[]> {
  let rows = await readUsages(tx, request.projectId);
  if (rows.length < QUOTA_RESOURCES.length) {
    await insertMissing(tx, request.projectId);
    rows = await readUsages(tx, request.projectId);
  }
  if (rows.some((row) => row.in_use === null || row.reserved === null)) {
    await fillUsages(tx, request, rows);
    rows = await readUsages(tx, request.projectId);
  }
  return rows.map((row) => ({
    id: row.id,
    resource: row.resource as QuotaResource,
    in_use: row.in_use ?? 0,
    reserved: row.reserved ?? 0,
  }));
}

/**
 * What was counted stands in `in_use`; what other creates have reserved is part of the count and is therefore taken off it.
 */
async function fillUsages(tx: Knex.Transaction, request: ReserveQuota, rows: readonly QuotaUsageRow[]): Promise<void> {
  const counted = await countUsage(tx, request.projectId, request.ramOf);
  for (const row of rows) {
    if (row.in_use !== null && row.reserved !== null) continue;
    const reserved = row.reserved ?? 0;
    const total = counted[row.resource as QuotaResource];
    await tx<QuotaUsageRow>('quota_usages')
      .where({ id: row.id })
      .update({ in_use: row.in_use ?? Math.max(0, total - reserved), reserved });
  }
}
