import { isTroveError } from '@trove/common';
import type { Step, StepContext, StepResult } from '@trove/tasks';
import { endRotation } from './end_rotation.ts';
import { CATALOG_TIMEOUT_MS, PERSISTENT_RETRY, type TaskTools } from './tools.ts';

const ANSWER_WITHIN_MS = 5000;
const ASK_AGAIN_MS = 500;

/** How the agent is to be spoken to: sealed under its active key or under this version of it, or in clear. */
export type Peer = number | 'active' | 'clear';

/** Waits until the agent has answered: `hello` where it has a key, which makes its reports count, else `rpc_ping`. */
export function awaitAgent(tools: TaskTools, peerOf: (context: StepContext) => Peer): Step {
  return {
    name: 'await_agent',
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const peer = peerOf(context);
      try {
        return await ask(tools, context, peer);
      } catch (error) {
        if (!isTroveError(error, 'GUEST_TIMEOUT') && !isTroveError(error, 'RPC_TIMEOUT')) throw error;
        return { wait: { ms: ASK_AGAIN_MS, progress: 'the guest agent has not answered yet' } };
      }
    },
    undo: async () => {},
  };
}

async function ask(tools: TaskTools, context: StepContext, peer: Peer): Promise<StepResult> {
  const { guests, hello } = tools;
  const { instanceId } = context.task;
  if (peer === 'clear') {
    await guests.call(instanceId, 'rpc_ping', {}, { deadlineMs: ANSWER_WITHIN_MS, signal: context.signal });
    return { done: { answered: 'rpc_ping' } };
  }
  if (peer === 'active') await endRotation(tools, context);
  const version = peer === 'active' ? {} : { keyVersion: peer };
  const stored = await hello.greet(instanceId, { ...version, deadlineMs: ANSWER_WITHIN_MS });
  return stored ? { done: { answered: 'hello' } } : { wait: { ms: ASK_AGAIN_MS } };
}
