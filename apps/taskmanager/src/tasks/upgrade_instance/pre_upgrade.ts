import { guestHeardAt } from '@trove/catalog';
import { isTroveError, TroveError, uuidV5 } from '@trove/common';
import type { Step, StepContext } from '@trove/tasks';
import { askedBefore } from '../shared/ask_guest.ts';
import { callOnce } from '../shared/call_once.ts';
import { endRotation } from '../shared/end_rotation.ts';
import { memberOf } from '../shared/outputs.ts';
import { SLICE_TIMEOUT_MS, type TaskTools } from '../shared/tools.ts';
import { oldServer, requireOldServer } from './find_server.ts';

const PRE_UPGRADE = 'pre_upgrade';
const UNANSWERED = 'unanswered';
const ANSWER_WITHIN_MS = 2000;
const LEFT_KEY_WITHIN_MS = 5000;

/**
 * The guest stops its database, spoken to as it has been until now. Output: what it wants to be told after the rebuild. A sealed
 * guest that is silent is not waited for: its server is stopped next, and the new one gets a key that the catalog has. That is
 * the way out for a guest that holds another, after a restore.
 */
export function preUpgrade(tools: TaskTools): Step {
  return {
    name: PRE_UPGRADE,
    timeoutMs: SLICE_TIMEOUT_MS,
    retry: { attempts: 3, capMs: 5000 },
    async run(context) {
      const { sealed } = oldServer(context);
      const answer = await callOnce(tools, context, { method: 'pre_upgrade', args: {}, sealed });
      if (!('wait' in answer)) return { done: { upgrade_info: JSON.stringify(answer.answered ?? {}) } };
      if (sealed && (await isSilent(tools, context))) return { done: { upgrade_info: '{}', [UNANSWERED]: true } };
      return { wait: { ...answer.wait, progress: 'the guest has not stopped its database yet' } };
    },
    async undo(context) {
      requireOldServer(context);
      // Who cancels deletes: nobody needs the database any more, and a silent guest would only be waited for.
      if (context.task.cancelRequested) return;
      // Nobody has stopped its database, and nobody would answer.
      if (memberOf(context.outputs[PRE_UPGRADE], UNANSWERED) !== true) await revive(tools, context);
    },
  };
}

/**
 * A question went unanswered that came so long after the first one, and after the guest was last heard, as a guest may take.
 * By the questions of earlier tries alone: time in which nobody asked says nothing of the guest.
 */
export async function isSilent({ catalog, settings }: TaskTools, context: StepContext): Promise<boolean> {
  const asked = askedBefore(context);
  if (asked === undefined) return false;
  const heardAt = await guestHeardAt(catalog.knex, context.task.instanceId);
  return asked.last - Math.max(asked.first, Number(heardAt)) > settings.highMs * 1000;
}

/** The old server is back, or was never stopped: its database serves again, and the guest says so. */
async function revive(tools: TaskTools, context: StepContext): Promise<void> {
  const { instanceId } = context.task;
  const { sealed } = oldServer(context);
  if (sealed) await endRotation(tools, context, Math.min(tools.settings.lowMs, LEFT_KEY_WITHIN_MS));
  await reach(tools, instanceId, sealed);
  if (!sealed) return await tools.restarts.restart(tools, context);
  const idempotencyKey = uuidV5(context.token, 'undo');
  const answer = await callOnce(tools, context, { method: 'restart', args: {}, sealed, idempotencyKey });
  if ('wait' in answer)
    throw new TroveError('GUEST_TIMEOUT', 'The old server does not serve yet.', { retryable: true });
}

/** A server that has just started needs a moment until its agent listens. */
async function reach({ guests, hello }: TaskTools, instanceId: string, sealed: boolean): Promise<void> {
  try {
    if (sealed) await hello.greet(instanceId, { deadlineMs: ANSWER_WITHIN_MS });
    else await guests.call(instanceId, 'rpc_ping', {}, { deadlineMs: ANSWER_WITHIN_MS });
  } catch (error) {
    if (!isTroveError(error, 'GUEST_TIMEOUT')) throw error;
    throw new TroveError('GUEST_TIMEOUT', 'The old server does not answer yet.', { retryable: true, cause: error });
  }
}
