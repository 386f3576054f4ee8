import type { InstanceReportRow, ServiceStatusRow } from '@trove/catalog';
import { isTroveError, TroveError } from '@trove/common';
import { SERVICE_STATUSES } from '@trove/contracts';
import type { Json, StepContext, Wait } from '@trove/tasks';
import type { Answer, OnceCall, TaskMethod } from './call_once.ts';
import { memberOf } from './outputs.ts';
import { serves } from './service_verdict.ts';
import type { TaskTools } from './tools.ts';
import { UNTIL_REPORTED } from './waits.ts';

/** A report may be on its way, or wait with the conductor, for so long: one that comes in sooner may be from before the note. */
const ON_ITS_WAY_MS = 5000;
/** A guest that has been asked says BUILDING at once; so many reports later, and so much later at the least, it has not been asked. */
const REPORTS_STILL_NEW = 3;
const STILL_NEW_MS = 60_000;

/** Methods after which the guest's database serves, as its heartbeats then say. */
const SEEN_IN_HEARTBEATS: readonly TaskMethod[] = ['restart', 'post_upgrade'];

/**
 * Asks a guest that knows no idempotency key: once, and that it is being asked stands in the journal first. The worker that
 * asks waits for the answer as long as Trove does. Where it dies, or no answer comes, the others wait in rows for the visible
 * effect, for the same patience: only what the guest says after it was asked counts. Rejects with `GUEST_TIMEOUT`, for good, where
 * the outcome stays unknown, and where a guest that lives has plainly not begun to `prepare`: it is not asked twice all the same.
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

/** It was never written to the broker, or no queue took it. What may have arrived is a `GUEST_TIMEOUT` without a cause. */
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
  const sinceMs = tools.clock.now() - askedAt;
  const heard = await lastHeard(tools, task.instanceId);
  const heardAfterMs = heard.at - askedAt;
  const patienceMs = tools.settings.highMs + tools.settings.reportIntervalMs;
  if (method === 'prepare') {
    // A cast: there is no answer, and whoever comes next waits for its effect.
    if (heard.status !== SERVICE_STATUSES.NEW.description || sinceMs >= patienceMs) return { answered: null };
    if (heardAfterMs < Math.max(STILL_NEW_MS, REPORTS_STILL_NEW * tools.settings.reportIntervalMs))
      return { wait: UNTIL_REPORTED };
    throw new TroveError(
      'GUEST_TIMEOUT',
      'The guest agent lives and has not begun to make its database; whether it was asked is not known, and it is not asked twice.',
    );
  }
  const canBeSeen = SEEN_IN_HEARTBEATS.includes(method);
  if (canBeSeen && heardAfterMs > ON_ITS_WAY_MS && serves(heard.status)) return { answered: null };
  if (canBeSeen && sinceMs < patienceMs) return { wait: UNTIL_REPORTED };
  throw new TroveError('GUEST_TIMEOUT', `The guest agent did not answer "${method}"; its outcome is unknown.`);
}

/** The latest report: its status, and when it came, in milliseconds of the catalog's time; 0 where none has. */
async function lastHeard(
  { catalog }: TaskTools,
  instanceId: string,
): Promise<{ readonly status: string | undefined; readonly at: number }> {
  const status = await catalog
    .knex<ServiceStatusRow>('service_statuses')
    .where({ instance_id: instanceId })
    .orderBy('updated_at', 'desc')
    .first('status_description');
  const report = await catalog
    .knex<InstanceReportRow>('instance_reports')
    .where({ instance_id: instanceId })
    .first('received_at');
  return { status: status?.status_description, at: Number(report?.received_at ?? 0) / 1000 };
}
