import { newUuid } from '@trove/common';
import type { Knex } from 'knex';
import type { Catalog } from '../catalog.ts';
import { troveNow } from '../database_time.ts';
import type { QuotaRow } from '../tables.ts';
import { withStatement } from '../transaction.ts';
import { requireColumnLength } from './column_length.ts';
import { QUOTA_RESOURCES, type QuotaAmounts, type QuotaChange } from './quota.ts';

/** A project's limits: its own where it has one, the default elsewhere. Below 0 is without a limit. */
export async function readLimits(
  executor: Knex,
  { projectId, defaults }: { readonly projectId: string; readonly defaults: QuotaChange },
): Promise<QuotaAmounts> {
  const rows = await executor<QuotaRow>('quotas').where({ tenant_id: projectId }).select('resource', 'hard_limit');
  const own = new Map(rows.map((row) => [row.resource, row.hard_limit]));
  const limit = (resource: keyof QuotaAmounts): number => own.get(resource) ?? defaults[resource] ?? -1;
  return { backups: limit('backups'), instances: limit('instances'), ram: limit('ram'), volumes: limit('volumes') };
}

/**
 * Gives a project limits of its own, all of them or none; what it has already stays, above them too. A reservation that is
 * being made at this moment may still see the earlier ones. Rejects with `BAD_REQUEST` for a project that cannot be.
 */
export async function setLimits(catalog: Catalog, projectId: string, limits: QuotaChange): Promise<void> {
  requireColumnLength('The project', projectId, 36);
  const named = QUOTA_RESOURCES.flatMap((resource) => {
    const limit = limits[resource];
    return limit === undefined ? [] : [{ resource, hard_limit: limit }];
  });
  if (named.length === 0) return;
  await withStatement(catalog, (knex) => {
    const now = troveNow(knex);
    return knex('quotas')
      .insert(named.map((limit) => ({ ...limit, id: newUuid(), tenant_id: projectId, created: now, updated: now })))
      .onConflict(['tenant_id', 'resource'])
      .merge(['hard_limit', 'updated']);
  });
}
