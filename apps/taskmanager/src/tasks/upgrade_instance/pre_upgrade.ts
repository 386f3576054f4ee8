import { isTroveError, TroveError, uuidV5 } from '@trove/common';
import type { Step, StepContext } from '@trove/tasks';
import { callOnce } from '../shared/call_once.ts';
import { type TaskTools } from '../shared/tools.ts';
import { oldServer, requireOldServer } from './find_server.ts';

const ANSWER_WITHIN_MS = 2000;

/** The guest stops its database, spoken to as it has been until now. Output: what it wants to be told after the rebuild. */
export function preUpgrade(tools: TaskTools): Step {
  return {
    name: 'pre_upgrade',
    timeoutMs: tools.settings.highMs + 5000,
    retry: { attempts: 3, capMs: 5000 },
    async run(context) {
      const { sealed } = oldServer(context);
      const answer = await callOnce(tools, context, { method: 'pre_upgrade', args: {}, sealed });
      if ('wait' in answer) return { wait: { ...answer.wait, progress: 'the guest has not stopped its database yet' } };
      return { done: { upgrade_info: JSON.stringify(answer.answered ?? {}) } };
    },
    async undo(context) {
      requireOldServer(context);
      await revive(tools, context);
    },
  };
}

/** The old server is back, or was never stopped: its database serves again, and the guest says so. */
async function revive(tools: TaskTools, context: StepContext): Promise<void> {
  const { instanceId } = context.task;
  const { sealed } = oldServer(context);
  await reach(tools, instanceId, sealed);
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
