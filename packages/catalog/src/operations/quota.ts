import { uuidV5 } from '@trove/common';
import type { Knex } from 'knex';
import type { InstanceRow } from '../tables.ts';

/** In the one order in which their rows are locked everywhere. */
export const QUOTA_RESOURCES = ['backups', 'instances', 'ram', 'volumes'] as const;

export type QuotaResource = (typeof QUOTA_RESOURCES)[number];

/** Of each resource: backups and instances in pieces, memory in MB, volumes in GB. */
export type QuotaAmounts = Readonly<Record<QuotaResource, number>>;

/** What is not named is 0. */
export type QuotaChange = Partial<QuotaAmounts>;

/** The instance's own reservation of a resource: an id that every later step finds again without a look-up. */
export function reservationId(instanceId: string, resource: QuotaResource): string {
  return uuidV5(instanceId.toLowerCase(), `quota:${resource}`);
}

/** Of what a resize takes more than the instance has: one at a time, since each holds the instance's slot. */
export function growthReservationId(instanceId: string, resource: QuotaResource): string {
  return uuidV5(instanceId.toLowerCase(), `quota:growth:${resource}`);
}

/** What the project has that is not deleted. `ramOf` gives a flavor's MB, 0 for one that is gone. */
export async function countUsage(
  executor: Knex,
  projectId: string,
  ramOf: (flavorId: string) => number,
): Promise<QuotaAmounts> {
  const rows = await executor<InstanceRow>('instances')
    .where({ tenant_id: projectId, deleted: 0 })
    .select('flavor_id', 'volume_size');
  return {
    backups: await countBackups(executor, projectId),
    instances: rows.length,
    ram: rows.reduce((sum, row) => sum + ramOf(row.flavor_id ?? ''), 0),
    volumes: rows.reduce((sum, row) => sum + (row.volume_size ?? 0), 0),
  };
}

/** Of the project, in whatever state: as with Trove each counts until it is deleted. */
export async function countBackups(executor: Knex, projectId: string): Promise<number> {
  const row = await executor('backups').where({ tenant_id: projectId, deleted: 0 }).count({ total: '*' }).first();
  return Number(row?.total ?? 0);
}
