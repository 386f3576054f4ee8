import { newUuid, TroveError } from '@trove/common';
import { type ArgsOf, type ResultOf, type TaskmanagerApi, taskmanagerApi } from '@trove/contracts';
import type { PolicyRule } from '@trove/identity';
import type { FastifyRequest } from 'fastify';
import type { ApiDeps } from '../deps.ts';
import { isServing } from '../status.ts';
import { contextOf } from './filing.ts';
import { instanceOfCaller } from './instance_of_caller.ts';
import { managesDatabases } from './names.ts';

/** The api waits longer than the taskmanager, which waits longer than the guest may take: the nearest to the fault reports it. */
const BEYOND_GUEST_MS = 2000;

export interface ServingInstance {
  readonly id: string;
  readonly manager: string;
}

/** The caller's instance, where its database serves. Rejects with `UNPROCESSABLE` where it does not, without asking it. */
export async function servingInstance(
  deps: ApiDeps,
  request: FastifyRequest,
  instanceId: string,
  rule: PolicyRule,
): Promise<ServingInstance> {
  const row = await instanceOfCaller(deps, request, instanceId, rule);
  if (!managesDatabases(row.manager)) {
    throw new TroveError('UNPROCESSABLE', `Databases and users of instance ${row.id} cannot be managed.`);
  }
  if (!isServing(row, deps.settings.heartbeatExpirySeconds)) {
    throw new TroveError('UNPROCESSABLE', `Instance ${row.id} is not ready.`);
  }
  return { id: row.id, manager: row.manager };
}

/** One call that the taskmanager passes on to the guest; resolves when the guest has done it. */
export async function askGuest<M extends Exclude<keyof TaskmanagerApi, 'run_task'>>(
  deps: ApiDeps,
  request: FastifyRequest,
  method: M,
  args: ArgsOf<TaskmanagerApi[M]>,
): Promise<ResultOf<TaskmanagerApi[M]>> {
  const { patience, once } = taskmanagerApi[method];
  const deadlineMs = deps.settings.guestPatienceMs[patience] + BEYOND_GUEST_MS;
  return await deps.taskmanager.call(method, args, {
    deadlineMs,
    context: contextOf(request),
    ...(once && { idempotencyKey: newUuid() }),
  });
}
