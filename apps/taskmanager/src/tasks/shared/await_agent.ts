import { withTransaction } from '@trove/catalog';
import { type Step, type StepContext, wakeInstances } from '@trove/tasks';
import { askGuest } from './ask_guest.ts';
import { endRotation } from './end_rotation.ts';
import type { Knocking } from './knocks.ts';
import { CATALOG_TIMEOUT_MS, PERSISTENT_RETRY, type TaskTools } from './tools.ts';
import { SOON, UNTIL_REPORTED } from './waits.ts';

/** How the agent is to be spoken to: sealed under its active key or under this version of it, or in clear. */
export type Peer = number | 'active' | 'clear';

/** What has answered; `overtaken`: the guest, and another answer was stored meanwhile. */
export type Answered = 'rpc_ping' | 'hello' | 'overtaken';

/**
 * Waits until the agent has answered: `hello` where it has a key, which makes its reports count, else `rpc_ping`. Under the
 * key that was injected a guest reports nothing, so its answer is what wakes the task.
 */
export function awaitAgent(tools: TaskTools, peerOf: (context: StepContext) => Peer): Step {
  return {
    name: 'await_agent',
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const peer = peerOf(context);
      if (peer === 'active') await endLeftRotation(tools, context);
      const answered = await tools.knocks.knock(context.task.id, questionOf(tools, context, peer));
      if (answered === undefined)
        return { wait: { ...UNTIL_REPORTED, progress: 'the guest agent has not answered yet' } };
      return answered === 'overtaken' ? { wait: SOON } : { done: { answered } };
    },
    undo: async () => {},
  };
}

/** Holds the slot while it asks, so it is asked as rarely as one that was there and may be no more. */
async function endLeftRotation(tools: TaskTools, context: StepContext): Promise<void> {
  if ((await tools.keys.leftVersion(context.task.instanceId)) === null) return;
  await askGuest(tools, context, async (deadlineMs) => (await endRotation(tools, context, deadlineMs)) || undefined);
}

/** Asked beyond the step: it changes nothing of the task's, and what a guest says of its boot is stored whoever has asked. */
export function questionOf(
  { catalog, guests, hello }: TaskTools,
  context: StepContext,
  peer: Peer,
): Knocking<Answered> {
  const { instanceId } = context.task;
  return {
    async ask(deadlineMs) {
      if (peer === 'clear') {
        await guests.call(instanceId, 'rpc_ping', {}, { deadlineMs });
        return 'rpc_ping';
      }
      const version = peer === 'active' ? {} : { keyVersion: peer };
      return (await hello.greet(instanceId, { ...version, deadlineMs })) ? 'hello' : 'overtaken';
    },
    async wake() {
      try {
        await withTransaction(catalog, (tx) => wakeInstances(tx, [instanceId]));
      } catch (error) {
        context.logger.info('a task was not woken by the answer of its guest', { error });
      }
    },
  };
}
