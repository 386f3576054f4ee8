import type { Knex } from 'knex';
import type { QuotaUsageRow } from '../tables.ts';
import { countUsage, QUOTA_RESOURCES, type QuotaResource } from './quota.ts';

/** In the resource's unit: what stands, and what creates and resizes under way have reserved beside it. */
export interface QuotaUsage {
  readonly resource: QuotaResource;
  readonly inUse: number;
  readonly reserved: number;
}

/**
 * A project's usage of each resource, in their order. One whose row is missing or NULL, as an adopted catalog has them, is
 * counted: what others have reserved is part of the count and is therefore taken off it.
 */
export async function countedUsages(
  executor: Knex,
  project: { readonly projectId: string; readonly ramOf: (flavorId: string) => number },
  rows: readonly QuotaUsageRow[],
): Promise<readonly QuotaUsage[]> {
  const known = new Map(rows.map((row) => [row.resource, row]));
  const isUncounted = QUOTA_RESOURCES.some((resource) => typeof known.get(resource)?.in_use !== 'number');
  const counted = isUncounted ? await countUsage(executor, project.projectId, project.ramOf) : undefined;
  return QUOTA_RESOURCES.map((resource) => {
    const row = known.get(resource);
    const reserved = row?.reserved ?? 0;
    return { resource, inUse: row?.in_use ?? Math.max(0, (counted?.[resource] ?? 0) - reserved), reserved };
  });
}
