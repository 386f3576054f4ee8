import { isTroveError, TroveError, uuidV5 } from '@trove/common';
import type { Step, StepContext } from '@trove/tasks';
import { callOnce } from '../shared/call_once.ts';
import { type TaskTools } from '../shared/tools.ts';
import { oldServer } from './find_server.ts';

const ANSWER_WITHIN_MS = 5000;

/** The guest stops its database, spoken to as it has been until now. Output: what it wants to be told after the rebuild. */
export function preUpgrade(tools: TaskTools): Step {
  return {
    name: 'pre_upgrade',
    timeoutMs: tools.settings.highMs + 5000,
    retry: { attempts: 3, capMs: 5000 },
    async run(context) {
      const { sealed } = oldServer(context);
      const answer = await callOnce(tools, context, { method: 'pre_upgrade', args: {}, sealed });
      if ('waitMs' in answer)
        return { wait: { ms: answer.waitMs, progress: 'the guest has not stopped its database yet' } };
      return { done: { upgrade_info: JSON.stringify(answer.answered ?? {}) } };
    },
    undo: (context) => revive(tools, context),
  };
}

/** The old server is back, or was never stopped: its database serves again, and the guest says so. */
async function revive(tools: TaskTools, context: StepContext): Promise<void> {
  const { instanceId } = context.task;
  const { sealed } = oldServer(context);
  if (sealed) await greet(tools, instanceId);
  const idempotencyKey = uuidV5(context.token, 'undo');
  const answer = await callOnce(tools, context, { method: 'restart', args: {}, sealed, idempotencyKey });
  if ('waitMs' in answer)
    throw new TroveError('GUEST_TIMEOUT', 'The old server does not serve yet.', { retryable: true });
}

async function greet({ hello }: TaskTools, instanceId: string): Promise<void> {
  try {
    await hello.greet(instanceId, { pending: false, deadlineMs: ANSWER_WITHIN_MS });
  } catch (error) {
    if (!isTroveError(error, 'GUEST_TIMEOUT')) throw error;
    throw new TroveError('GUEST_TIMEOUT', 'The old server does not answer yet.', { retryable: true, cause: error });
  }
}
