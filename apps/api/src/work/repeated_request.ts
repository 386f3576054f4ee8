import { readInstanceOwner, withTransaction } from '@trove/catalog';
import { isAdmin } from '@trove/identity';
import type { FiledTask } from '@trove/tasks';
import type { FastifyRequest } from 'fastify';
import type { ApiDeps } from '../deps.ts';
import { callerOfRequest } from '../plugins/authentication.ts';
import { earlierTask, repeatOf } from './filing.ts';

/**
 * The task that this very request filed before, by its `Idempotency-Key`. Looked for before anything is checked, so that the
 * repeat is answered as the first time, whatever has become of instance, versions and quota since; the filing transaction
 * looks again. Rejects with `UNPROCESSABLE` where the key came with another request.
 */
export async function repeatedRequest(
  deps: ApiDeps,
  request: FastifyRequest,
  projectId: string,
): Promise<FiledTask | undefined> {
  const repeat = repeatOf(deps, request);
  if (repeat.idempotencyKey === undefined) return undefined;
  return await withTransaction(deps.catalog, (tx) => earlierTask(tx, projectId, repeat));
}

/** The same for a request on an instance, which may be gone meanwhile; undefined too where it is not the caller's. */
export async function repeatedOnInstance(
  deps: ApiDeps,
  request: FastifyRequest,
  instanceId: string,
): Promise<FiledTask | undefined> {
  if (repeatOf(deps, request).idempotencyKey === undefined) return undefined;
  const caller = callerOfRequest(request);
  const owner = await readInstanceOwner(deps.catalog.knex, instanceId);
  if (owner === undefined || (owner !== caller.projectId && !isAdmin(caller))) return undefined;
  return await repeatedRequest(deps, request, owner);
}
