import { type InstanceReading, listInstances } from '@trove/catalog';
import type { ListInstancesQuery } from '@trove/contracts';
import { enforce, type PolicyRule } from '@trove/identity';
import type { FastifyRequest } from 'fastify';
import type { Static } from 'typebox';
import type { ApiDeps } from '../deps.ts';
import type { Link } from '../links.ts';
import { nextLink, pageLimit } from '../paging.ts';
import { callerOfRequest } from '../plugins/authentication.ts';
import { checkStorable } from './names.ts';

export interface ShownPage {
  /** The newest first, as Trove shows a page; pages themselves go by id. */
  rows: InstanceReading[];
  next: { links?: Link[] };
}

/** A page of the caller's own project, also for admins. */
export async function instancePage(
  deps: ApiDeps,
  request: FastifyRequest<{ Querystring: Static<typeof ListInstancesQuery> }>,
  rule: PolicyRule,
): Promise<ShownPage> {
  const caller = callerOfRequest(request);
  enforce(rule, caller, caller.projectId);
  const { limit: wanted, marker, include_clustered } = request.query;
  if (marker !== undefined) checkStorable('marker', marker);
  const limit = pageLimit(wanted, deps.settings.pageSizes.instances);
  const found = await listInstances(deps.catalog.knex, {
    projectId: caller.projectId,
    limit: limit + 1,
    marker,
    includeClustered: include_clustered?.toLowerCase() === 'true',
  });
  const rows = found.slice(0, limit);
  const last = rows.at(-1);
  const next = found.length > limit && last ? { links: nextLink(request, limit, last.id) } : {};
  return { rows: rows.sort(newestFirst), next };
}

function newestFirst(one: InstanceReading, other: InstanceReading): number {
  const [a, b] = [one.created ?? '', other.created ?? ''];
  return a === b ? 0 : a < b ? 1 : -1;
}
