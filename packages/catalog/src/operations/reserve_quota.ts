import { TroveError } from '@trove/common';
import type { Knex } from 'knex';
import { troveNow } from '../database_time.ts';
import type { ReservationRow } from '../tables.ts';
import { countedUsages, type QuotaUsage } from './counted_usages.ts';
import { growthReservationId, type QuotaChange, type QuotaResource, reservationId } from './quota.ts';
import { readLimits } from './quota_limits.ts';
import { lockUsages } from './usage_rows.ts';

export interface ReserveQuota {
  projectId: string;
  instanceId: string;
  amounts: QuotaChange;
  /** Limits of a project that has none of its own in `quotas`; −1, or none, is without a limit. */
  defaults: QuotaChange;
  /** A flavor's MB, 0 for one that is gone: for usage that has to be counted first. */
  ramOf: (flavorId: string) => number;
}

/**
 * Reserves what a new instance takes, before its row is inserted. Usages are locked first, so that of two creates at a time
 * the second sees what the first has taken; a usage that is missing or NULL (an adopted catalog) is counted under that lock.
 * Rejects with `QUOTA_EXCEEDED`, naming every resource that would go over.
 */
export async function reserveQuota(tx: Knex.Transaction, request: ReserveQuota): Promise<void> {
  await takeFromUsages(tx, request, (resource) => reservationId(request.instanceId, resource));
}

/**
 * Reserves what a resize takes more than the instance has, before the instance is locked; `amounts` is that more, 0 where it
 * takes less. Rejects as `reserveQuota` does. `settleGrowth` ends it.
 */
export async function reserveGrowth(tx: Knex.Transaction, request: ReserveQuota): Promise<void> {
  const amounts = Object.fromEntries(Object.entries(request.amounts).filter(([, amount]) => amount > 0));
  await takeFromUsages(tx, { ...request, amounts }, (resource) => growthReservationId(request.instanceId, resource));
}

async function takeFromUsages(
  tx: Knex.Transaction,
  request: ReserveQuota,
  idOf: (resource: QuotaResource) => string,
): Promise<void> {
  const rows = await lockUsages(tx, request.projectId);
  const usages = await countedUsages(tx, request, rows);
  await checkLimits(tx, request, usages);
  const taken: Reserved[] = [];
  for (const { resource, inUse, reserved } of usages) {
    const row = rows.find((one) => one.resource === resource);
    const delta = request.amounts[resource];
    if (row === undefined || (row.in_use === inUse && row.reserved === reserved && delta === undefined)) continue;
    const values = { in_use: inUse, reserved: reserved + (delta ?? 0), updated: troveNow(tx) };
    await tx('quota_usages').where({ id: row.id }).update(values);
    if (delta !== undefined) taken.push({ id: idOf(resource), usage_id: row.id, delta });
  }
  await writeReservations(tx, taken);
}

async function checkLimits(tx: Knex.Transaction, request: ReserveQuota, usages: readonly QuotaUsage[]): Promise<void> {
  const limits = await readLimits(tx, request);
  const over = usages.filter(({ resource, inUse, reserved }) => {
    const [amount, limit] = [request.amounts[resource] ?? 0, limits[resource]];
    return amount > 0 && limit >= 0 && inUse + reserved + amount > limit;
  });
  if (over.length === 0) return;
  const names = over.map(({ resource }) => `'${resource}'`).join(', ');
  throw new TroveError('QUOTA_EXCEEDED', `Quota exceeded for resources: [${names}].`);
}

type Reserved = Pick<ReservationRow, 'id' | 'usage_id' | 'delta'>;

/** The row of an earlier resize that has ended is written anew. */
async function writeReservations(tx: Knex.Transaction, reservations: readonly Reserved[]): Promise<void> {
  if (reservations.length === 0) return;
  const now = troveNow(tx);
  await tx('reservations')
    .insert(reservations.map((reservation) => ({ ...reservation, status: 'Reserved', created: now, updated: now })))
    .onConflict('id')
    .merge(['usage_id', 'delta', 'status', 'updated']);
}
