import { TroveError } from '@trove/common';
import type { Step, StepContext } from '@trove/tasks';
import { knownServer } from '../shared/known_server.ts';
import { numberMember } from '../shared/outputs.ts';
import { CATALOG_TIMEOUT_MS, RETRY, type TaskTools } from '../shared/tools.ts';

export const FIND_SERVER = 'find_server';

/** The server that is to be resized, and how its agent is spoken to. */
export function findServer(tools: TaskTools): Step {
  return {
    name: FIND_SERVER,
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: RETRY,
    async run(context) {
      const { instance, server } = await knownServer(tools, context.task.instanceId);
      if (server === undefined) throw new TroveError('UNPROCESSABLE', 'The instance has no server to resize.');
      return { done: { server_id: server.id, rpc_policy: instance.rpc_policy } };
    },
  };
}

export function isSealed(context: StepContext): boolean {
  return numberMember(context.outputs[FIND_SERVER], 'rpc_policy') === 2;
}
