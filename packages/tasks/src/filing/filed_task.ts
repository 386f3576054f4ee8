import { dbNow, isDuplicate } from '@trove/catalog';
import { TroveError } from '@trove/common';
import type { Knex } from 'knex';
import type { JsonObject } from '../types.ts';
import { freeOldKey } from './idempotency.ts';
import type { RequestHash } from './request_hash.ts';

export interface NewTask {
  kind: string;
  instanceId: string;
  projectId: string;
  params: JsonObject;
  /** From now until the task turns to compensating. */
  deadlineMs: number;
  /** Of the kind's steps as this release knows them. */
  codeVersion: number;
  /** The header `Idempotency-Key` with the hash of its request: both or none. */
  idempotencyKey?: string | undefined;
  requestHash?: RequestHash | undefined;
}

export interface FiledTask {
  taskId: string;
  instanceId: string;
  /** The task was there already and nothing was written. */
  repeated: boolean;
}

/** Inserts the row, pending. Rejects with a retryable `CONFLICT` where the same key is being filed by another transaction. */
export async function insertTask(
  tx: Knex.Transaction,
  id: string,
  task: NewTask,
  afterTask: string | null,
): Promise<void> {
  const now = dbNow(tx);
  const row = {
    id,
    kind: task.kind,
    instance_id: task.instanceId,
    project_id: task.projectId,
    params: JSON.stringify(task.params),
    state: 'pending',
    step: null,
    attempt: 0,
    lease_owner: null,
    lease_until: null,
    fence: 0,
    wake_at: null,
    deadline: tx.raw('? + ?', [now, task.deadlineMs * 1000]),
    cancel_requested: 0,
    after_task: afterTask,
    idempotency_key: task.idempotencyKey ?? null,
    request_hash: task.requestHash?.form ?? null,
    error: null,
    code_version: task.codeVersion,
    created: now,
    updated: now,
  };
  const { projectId, idempotencyKey } = task;
  if (idempotencyKey !== undefined) await freeOldKey(tx, { projectId, idempotencyKey });
  try {
    await tx('tasks').insert(row);
  } catch (error) {
    if (idempotencyKey === undefined || !isDuplicate(error)) throw error;
    throw new TroveError('CONFLICT', 'The same request is already being worked on.', { retryable: true, cause: error });
  }
}
