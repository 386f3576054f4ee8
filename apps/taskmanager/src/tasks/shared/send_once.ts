import type { ServiceStatusRow } from '@trove/catalog';
import { isTroveError, TroveError } from '@trove/common';
import type { Json, StepContext, Wait } from '@trove/tasks';
import type { Answer, OnceCall, TaskMethod } from './call_once.ts';
import { memberOf } from './outputs.ts';
import { serves } from './service_verdict.ts';
import type { TaskTools } from './tools.ts';
import { UNTIL_REPORTED } from './waits.ts';

/** Methods after which the guest's database serves, as its heartbeats then say. */
const SEEN_IN_HEARTBEATS: readonly TaskMethod[] = ['restart', 'post_upgrade'];

/**
 * Asks a guest that knows no idempotency key: once, and that it is being asked stands in the journal first. The worker that
 * asks waits for the answer as long as Trove does. Where it dies, or no answer comes, the others wait in rows for the visible
 * effect, for the same patience. Rejects with `GUEST_TIMEOUT`, for good, where the outcome stays unknown.
 */
export async function sendOnce<M extends TaskMethod>(
  tools: TaskTools,
  context: StepContext,
  call: OnceCall<M>,
): Promise<Answer<M>> {
  const askedAt = askedBefore(context, call.method);
  if (askedAt !== undefined) return await lookFor(tools, context, call.method, askedAt);
  const now = tools.clock.now();
  await context.note({ asked: call.method, at: now });
  try {
    const answered = await tools.guests.call(context.task.instanceId, call.method, call.args, {
      deadlineMs: tools.settings.highMs,
      fence: context.task.fence,
      signal: context.signal,
    });
    return { answered };
  } catch (error) {
    if (isUnsent(error)) await context.note(null);
    else if (isTroveError(error, 'GUEST_TIMEOUT')) return await lookFor(tools, context, call.method, now);
    throw error;
  }
}

function askedBefore({ noted }: StepContext, method: TaskMethod): number | undefined {
  const at: Json | undefined = memberOf(noted, 'asked') === method ? memberOf(noted, 'at') : undefined;
  return typeof at === 'number' ? at : undefined;
}

/** The broker has not taken it, or had no queue for it. */
function isUnsent(error: unknown): boolean {
  if (isTroveError(error, 'BUS_UNAVAILABLE')) return true;
  return isTroveError(error, 'GUEST_TIMEOUT') && isTroveError(error.cause, 'RPC_REFUSED');
}

async function lookFor(
  tools: TaskTools,
  { task }: StepContext,
  method: TaskMethod,
  askedAt: number,
): Promise<{ readonly answered: null } | { readonly wait: Wait }> {
  // A cast: there is no answer, and whoever comes next waits for its effect.
  if (method === 'prepare') return { answered: null };
  const canBeSeen = SEEN_IN_HEARTBEATS.includes(method);
  if (canBeSeen && (await servesNow(tools, task.instanceId))) return { answered: null };
  const patienceMs = tools.settings.highMs + tools.settings.reportIntervalMs;
  if (canBeSeen && tools.clock.now() - askedAt < patienceMs) return { wait: UNTIL_REPORTED };
  throw new TroveError('GUEST_TIMEOUT', `The guest agent did not answer "${method}"; its outcome is unknown.`);
}

async function servesNow({ catalog }: TaskTools, instanceId: string): Promise<boolean> {
  const row = await catalog
    .knex<ServiceStatusRow>('service_statuses')
    .where({ instance_id: instanceId })
    .orderBy('updated_at', 'desc')
    .first('status_description');
  return serves(row?.status_description);
}
