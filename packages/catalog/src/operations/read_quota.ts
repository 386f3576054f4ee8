import type { Catalog } from '../catalog.ts';
import { readInSnapshot } from '../checks/facts.ts';
import { countedUsages, type QuotaUsage } from './counted_usages.ts';
import type { QuotaChange } from './quota.ts';
import { readLimits } from './quota_limits.ts';
import { readUsages } from './usage_rows.ts';

export interface QuotaReading extends QuotaUsage {
  /** Below 0: without a limit. */
  readonly limit: number;
}

/** Of each resource what the project's next reservation would be checked against, from one moment. Nothing is written, and on MySQL nothing is locked. */
export async function readQuota(
  catalog: Catalog,
  project: {
    readonly projectId: string;
    readonly defaults: QuotaChange;
    /** A flavor's MB, 0 for one that is gone. */
    readonly ramOf: (flavorId: string) => number;
  },
): Promise<readonly QuotaReading[]> {
  return await readInSnapshot(catalog, async (tx) => {
    const usages = await countedUsages(tx, project, await readUsages(tx, project.projectId));
    const limits = await readLimits(tx, project);
    return usages.map((usage) => ({ ...usage, limit: limits[usage.resource] }));
  });
}
