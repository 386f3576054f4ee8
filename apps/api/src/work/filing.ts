import { withTransaction } from '@trove/catalog';
import { isTroveError, TroveError } from '@trove/common';
import type { CallContext } from '@trove/crypto-rpc';
import { type FiledTask, findRepeatedTask, type NewTask, requestHash } from '@trove/tasks';
import type { FastifyRequest } from 'fastify';
import type { ApiDeps } from '../deps.ts';
import { callerOfRequest } from '../plugins/authentication.ts';

export type Transaction = Parameters<Parameters<typeof withTransaction>[1]>[0];

const TRIES = 3;

/** Runs a filing as one transaction, again where the same request is being filed by another connection at this moment. */
export async function inFilingTransaction(
  deps: ApiDeps,
  work: (tx: Transaction) => Promise<FiledTask>,
): Promise<FiledTask> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await withTransaction(deps.catalog, work);
    } catch (error) {
      const again = isTroveError(error, 'CONFLICT') && error.retryable && attempt < TRIES;
      if (!again) throw error;
    }
  }
}

/** Makes `inFilingTransaction` undo what was written and run again. */
export function beingFiled(): TroveError {
  return new TroveError('CONFLICT', 'The same request is already being worked on.', { retryable: true });
}

export type Repeat = Pick<NewTask, 'idempotencyKey' | 'requestHash'>;

/** The task that the same request filed before; undefined where it is new or says no `Idempotency-Key`. */
export async function earlierTask(tx: Transaction, projectId: string, repeat: Repeat): Promise<FiledTask | undefined> {
  const { idempotencyKey, requestHash: hash } = repeat;
  if (idempotencyKey === undefined || hash === undefined) return undefined;
  return await findRepeatedTask(tx, { projectId, idempotencyKey, requestHash: hash });
}

/** The `Idempotency-Key` of a request with the hash of what it asks; nothing where it has none. */
export function repeatOf({ controlRing }: ApiDeps, request: FastifyRequest): Repeat {
  const given = request.headers['idempotency-key'];
  if (given === undefined) return {};
  if (typeof given !== 'string' || !/^[\x21-\x7e]{1,64}$/.test(given)) {
    throw new TroveError('BAD_REQUEST', 'An Idempotency-Key has 1 to 64 printable characters without blanks.');
  }
  const { method, url: path, body } = request;
  return { idempotencyKey: given, requestHash: requestHash(controlRing, { method, path, body }) };
}

/** Who asked, for the log of those who do the work. */
export function contextOf(request: FastifyRequest): CallContext {
  const caller = callerOfRequest(request);
  return { request_id: request.id, project_id: caller.projectId, user_id: caller.userId };
}
