import { writeInstance } from '@trove/catalog';
import { TroveError } from '@trove/common';
import type { Step, StepContext } from '@trove/tasks';
import { judgeServer } from './servers.ts';
import { CATALOG_TIMEOUT_MS, RETRY, type TaskTools } from './tools.ts';
import { UNTIL_SEEN } from './waits.ts';

/** Waits until the driver says that the server runs; its addresses are known at the latest then. */
export function awaitServer({ compute }: TaskTools, serverIdOf: (context: StepContext) => string): Step {
  return {
    name: 'await_server',
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: RETRY,
    async run(context) {
      const server = await compute.getServer(serverIdOf(context));
      const verdict = judgeServer(server);
      if (verdict === 'wait') return { wait: { ...UNTIL_SEEN, progress: 'the server is being made' } };
      if (server === undefined || verdict === 'failed')
        throw new TroveError('COMPUTE_ERROR', 'The server could not be made.');
      const { instanceId, fence } = context.task;
      const values = { addresses: JSON.stringify(server.addresses), server_status: server.status };
      await context.fenced((tx) => writeInstance(tx, { instanceId, fence, values }));
      return { done: { host: server.host } };
    },
    undo: async () => {},
  };
}
