import { uuidV5 } from '@trove/common';
import type { Knex } from 'knex';
import type { InstanceRow } from '../tables.ts';

/** What a project may have at most: pieces, MB and GB. −1 is without a limit. */
export interface QuotaAmounts {
  readonly instances: number;
  readonly ram: number;
  readonly volumes: number;
}

export type QuotaResource = keyof QuotaAmounts;

/** In the one order in which their rows are locked everywhere. */
export const QUOTA_RESOURCES = ['instances', 'ram', 'volumes'] as const satisfies readonly QuotaResource[];

/** The instance's own reservation of a resource: an id that every later step finds again without a look-up. */
export function reservationId(instanceId: string, resource: QuotaResource): string {
  return uuidV5(instanceId.toLowerCase(), `quota:${resource}`);
}

/** Of what a resize takes more than the instance has: one at a time, since each holds the instance's slot. */
export function growthReservationId(instanceId: string, resource: QuotaResource): string {
  return uuidV5(instanceId.toLowerCase(), `quota:growth:${resource}`);
}

/** What the project's instances that are not deleted come to. `ramOf` gives a flavor's MB, 0 for one that is gone. */
export async function countUsage(
  tx: Knex.Transaction,
  projectId: string,
  ramOf: (flavorId: string) => number,
): Promise<QuotaAmounts> {
  const rows = await tx<InstanceRow>('instances')
    .where({ tenant_id: projectId, deleted: 0 })
    .select('flavor_id', 'volume_size');
  return {
    instances: rows.length,
    ram: rows.reduce((sum, row) => sum + ramOf(row.flavor_id ?? ''), 0),
    volumes: rows.reduce((sum, row) => sum + (row.volume_size ?? 0), 0),
  };
}
