import type { Knex } from 'knex';
import { troveNow } from '../database_time.ts';
import type { QuotaUsageRow, ReservationRow } from '../tables.ts';
import { growthReservationId, QUOTA_RESOURCES, type QuotaChange, reservationId } from './quota.ts';
import { lockUsages } from './usage_rows.ts';

export interface QuotaOfInstance {
  projectId: string;
  instanceId: string;
}

/**
 * The create has ended, well or not, and its instance is still there: what was reserved is now in use. A second call, or one for
 * an instance without a reservation (adopted), changes nothing.
 */
export async function commitQuota(tx: Knex.Transaction, { projectId, instanceId }: QuotaOfInstance): Promise<void> {
  const usages = await lockCountedUsages(tx, projectId);
  for (const resource of QUOTA_RESOURCES) {
    const usage = usages.get(resource);
    const delta = await moveReservation(tx, reservationId(instanceId, resource), 'Reserved', 'Committed');
    if (usage === undefined || delta === undefined) continue;
    await changeUsage(tx, usage, { inUse: delta, reserved: -delta });
  }
}

/**
 * Server and volume of the instance are gone and its row is being marked deleted, in this transaction: what it held is free again.
 * `amounts` is what its row says it holds. Call it once, with the UPDATE that marks the row.
 */
export async function releaseQuota(
  tx: Knex.Transaction,
  { projectId, instanceId, amounts }: QuotaOfInstance & { amounts: QuotaChange },
): Promise<void> {
  const usages = await lockCountedUsages(tx, projectId);
  for (const resource of QUOTA_RESOURCES) {
    const usage = usages.get(resource);
    const reserved = await moveReservation(tx, reservationId(instanceId, resource), 'Reserved', 'Rolled Back');
    if (usage === undefined) continue;
    if (reserved === undefined) await changeUsage(tx, usage, { inUse: -(amounts[resource] ?? 0), reserved: 0 });
    else await changeUsage(tx, usage, { inUse: 0, reserved: -reserved });
  }
}

/**
 * A resize has ended. Where it is done, its instance's row says the new size from this transaction on, and usage follows by
 * `change`, which may be less than nothing; where it was taken back, nothing is in use but what was. Call it once.
 */
export async function settleGrowth(
  tx: Knex.Transaction,
  args: QuotaOfInstance & { change: QuotaChange; done: boolean },
): Promise<void> {
  const usages = await lockCountedUsages(tx, args.projectId);
  for (const resource of QUOTA_RESOURCES) {
    const usage = usages.get(resource);
    const id = growthReservationId(args.instanceId, resource);
    const reserved = await moveReservation(tx, id, 'Reserved', args.done ? 'Committed' : 'Rolled Back');
    if (usage === undefined) continue;
    const inUse = args.done ? (args.change[resource] ?? 0) : 0;
    if (inUse !== 0 || reserved !== undefined) await changeUsage(tx, usage, { inUse, reserved: -(reserved ?? 0) });
  }
}

/**
 * Under the project's lock, by their resource. One that has not been counted yet is left out: it is counted when it is first
 * needed, by whoever waits until this transaction has ended.
 */
async function lockCountedUsages(tx: Knex.Transaction, projectId: string): Promise<ReadonlyMap<string, QuotaUsageRow>> {
  const rows = await lockUsages(tx, projectId);
  return new Map(rows.filter((row) => row.in_use !== null).map((row) => [row.resource, row]));
}

/** The reservation's amount where it stood at `from` and is now at `to`; the affected row decides. */
async function moveReservation(
  tx: Knex.Transaction,
  id: string,
  from: string,
  to: string,
): Promise<number | undefined> {
  const moved = await tx('reservations')
    .where({ id, status: from })
    .update({ status: to, updated: troveNow(tx) });
  if (moved === 0) return undefined;
  const row = await tx<ReservationRow>('reservations').where({ id }).first('delta');
  return row?.delta;
}

/** Trove's floor: usage never goes below 0. */
async function changeUsage(
  tx: Knex.Transaction,
  usage: QuotaUsageRow,
  change: { inUse: number; reserved: number },
): Promise<void> {
  await tx('quota_usages')
    .where({ id: usage.id })
    .update({
      in_use: Math.max(0, (usage.in_use ?? 0) + change.inUse),
      reserved: Math.max(0, (usage.reserved ?? 0) + change.reserved),
      updated: troveNow(tx),
    });
}
