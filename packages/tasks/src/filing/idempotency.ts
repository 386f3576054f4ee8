import { type Catalog, dbNow, type TaskRow } from '@trove/catalog';
import { TroveError } from '@trove/common';
import type { Knex } from 'knex';
import type { FiledTask } from './filed_task.ts';
import type { RequestHash } from './request_hash.ts';

const KEPT_MICROSECONDS = 24 * 3600 * 1_000_000;
const FORGOTTEN_AT_ONCE = 500;
const FORGOTTEN = { idempotency_key: null, request_hash: null };

export interface RequestIdentity {
  projectId: string;
  /** The header `Idempotency-Key`; scope: the project, kept for 24 h. */
  idempotencyKey: string;
  requestHash: RequestHash;
}

/** For tasks whose key is no longer kept. */
function isOld(executor: Knex): (query: Knex.QueryBuilder) => void {
  return (query) => {
    query.where('created', '<', executor.raw('? - ?', [dbNow(executor), KEPT_MICROSECONDS]));
  };
}

/**
 * The task that this request filed before; undefined where it is new. It only reads, so that it may come before quota and
 * instance are locked. Rejects with `UNPROCESSABLE` where the same key came with another request. A create calls it before
 * it makes its instance; the other requests leave it to `fileTask`.
 */
export async function findRepeatedTask(tx: Knex.Transaction, request: RequestIdentity): Promise<FiledTask | undefined> {
  const earlier = await tx<TaskRow>('tasks')
    .where({ project_id: request.projectId, idempotency_key: request.idempotencyKey })
    .whereNot(isOld(tx))
    .first('id', 'instance_id', 'request_hash');
  if (earlier === undefined) return undefined;
  if (!request.requestHash.alike.includes(earlier.request_hash ?? '')) {
    throw new TroveError('UNPROCESSABLE', 'The Idempotency-Key was used before with a different request.');
  }
  return { taskId: earlier.id, instanceId: earlier.instance_id, repeated: true };
}

/** Before the key is given to another task: the one of more than a day ago lets it go. */
export async function freeOldKey(
  tx: Knex.Transaction,
  { projectId, idempotencyKey }: Pick<RequestIdentity, 'projectId' | 'idempotencyKey'>,
): Promise<void> {
  const own = { project_id: projectId, idempotency_key: idempotencyKey };
  await tx<TaskRow>('tasks').where(own).where(isOld(tx)).update(FORGOTTEN);
}

/** Forgets the keys that are no longer kept, in batches, and what was asked under them. Resolves with how many. */
export async function forgetOldRequests({ knex }: Catalog): Promise<number> {
  for (let forgotten = 0; ; ) {
    const ids = await knex<TaskRow>('tasks')
      .whereNotNull('idempotency_key')
      .where(isOld(knex))
      .limit(FORGOTTEN_AT_ONCE)
      .pluck('id');
    if (ids.length > 0) forgotten += await knex<TaskRow>('tasks').whereIn('id', ids.toSorted()).update(FORGOTTEN);
    if (ids.length < FORGOTTEN_AT_ONCE) return forgotten;
  }
}
