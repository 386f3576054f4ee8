import { dbNow, type TaskRow } from '@trove/catalog';
import { TroveError } from '@trove/common';
import type { Knex } from 'knex';
import type { FiledTask } from './filed_task.ts';
import type { RequestHash } from './request_hash.ts';

const KEPT_MICROSECONDS = 24 * 3600 * 1_000_000;

export interface RequestIdentity {
  projectId: string;
  /** The header `Idempotency-Key`; scope: the project, kept for 24 h. */
  idempotencyKey: string;
  requestHash: RequestHash;
}

/**
 * The task that this request filed before; undefined where it is new. Rejects with `UNPROCESSABLE` where the same key came
 * with another request. A create calls it before it makes its instance; the other requests leave it to `fileTask`.
 */
export async function findRepeatedTask(tx: Knex.Transaction, request: RequestIdentity): Promise<FiledTask | undefined> {
  const own = { project_id: request.projectId, idempotency_key: request.idempotencyKey };
  await tx<TaskRow>('tasks')
    .where(own)
    .where('created', '<', tx.raw('? - ?', [dbNow(tx), KEPT_MICROSECONDS]))
    .update({ idempotency_key: null, request_hash: null });
  const earlier = await tx<TaskRow>('tasks').where(own).first('id', 'instance_id', 'request_hash');
  if (earlier === undefined) return undefined;
  if (!request.requestHash.alike.includes(earlier.request_hash ?? '')) {
    throw new TroveError('UNPROCESSABLE', 'The Idempotency-Key was used before with a different request.');
  }
  return { taskId: earlier.id, instanceId: earlier.instance_id, repeated: true };
}
