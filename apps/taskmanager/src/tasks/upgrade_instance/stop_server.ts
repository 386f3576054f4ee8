import { forgetBoot } from '@trove/catalog';
import type { Step } from '@trove/tasks';
import { COMPUTE_TIMEOUT_MS, RETRY, type TaskTools } from '../shared/tools.ts';
import { newKeyVersion, oldServer, requireOldServer } from './find_server.ts';

/** From here on only the pending key is accepted, nothing in clear or under an older version; then the old server stops. */
export function stopServer({ compute, keys }: TaskTools): Step {
  return {
    name: 'stop_server',
    timeoutMs: COMPUTE_TIMEOUT_MS,
    retry: RETRY,
    async run(context) {
      const { instanceId, fence } = context.task;
      const version = newKeyVersion(context);
      await context.fenced(async (tx) => {
        if (version !== undefined) await keys.excludeOthers(tx, { instanceId, fence, version });
        await forgetBoot(tx, instanceId);
      });
      keys.forget(instanceId);
      await compute.stopServer(oldServer(context).serverId, context.signal);
      return { done: { stopped: true } };
    },
    async undo(context) {
      requireOldServer(context);
      await compute.startServer(oldServer(context).serverId, context.signal);
    },
  };
}
