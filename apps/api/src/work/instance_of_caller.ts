import { type InstanceReading, readInstance, readInstanceOwner } from '@trove/catalog';
import { TroveError } from '@trove/common';
import { enforce, isAdmin, type PolicyRule } from '@trove/identity';
import type { FastifyRequest } from 'fastify';
import type { ApiDeps } from '../deps.ts';
import { callerOfRequest } from '../plugins/authentication.ts';

/**
 * The instance of this id, where the caller may do `rule` with it. Rejects with `NOT_FOUND` where there is none, and in the same
 * words where it is another project's; admins reach those by id.
 */
export async function instanceOfCaller(
  deps: Pick<ApiDeps, 'catalog'>,
  request: FastifyRequest,
  instanceId: string,
  rule: PolicyRule,
): Promise<InstanceReading & { tenant_id: string }> {
  const caller = callerOfRequest(request);
  const row = await readInstance(deps.catalog.knex, instanceId);
  const { tenant_id } = row ?? { tenant_id: null };
  if (row === undefined || tenant_id === null || (tenant_id !== caller.projectId && !isAdmin(caller))) {
    throw instanceNotFound(instanceId);
  }
  enforce(rule, caller, tenant_id);
  return { ...row, tenant_id };
}

/** The id of an instance whose tasks the caller may read: one that is deleted too. Rejects as `instanceOfCaller`. */
export async function instanceOnceOfCaller(
  deps: Pick<ApiDeps, 'catalog'>,
  request: FastifyRequest,
  instanceId: string,
): Promise<string> {
  const caller = callerOfRequest(request);
  const owner = await readInstanceOwner(deps.catalog.knex, instanceId);
  if (owner === undefined || (owner !== caller.projectId && !isAdmin(caller))) throw instanceNotFound(instanceId);
  enforce('instance:show', caller, owner);
  return instanceId;
}

export function instanceNotFound(instanceId: string): TroveError {
  return new TroveError('NOT_FOUND', `Resource ${instanceId.slice(0, 255)} cannot be found.`);
}
