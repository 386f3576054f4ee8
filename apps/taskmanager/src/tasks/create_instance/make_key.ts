import type { Step } from '@trove/tasks';
import { CATALOG_TIMEOUT_MS, RETRY, type TaskTools } from '../shared/tools.ts';

/** With secure messaging on, the instance has its key, and policy 2, before there is a server. Output: `{ version }`, null for none. */
export function makeKey({ keys, settings }: TaskTools): Step {
  return {
    name: 'make_key',
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: RETRY,
    async run(context) {
      const { instanceId, fence } = context.task;
      const version = await context.fenced(async (tx) => {
        const present = await keys.activeVersion(tx, instanceId);
        if (present !== null || !settings.secureMessaging) return present;
        return keys.makeFirst(tx, { instanceId, fence });
      });
      keys.forget(instanceId);
      return { done: { version } };
    },
    async undo(context) {
      await context.fenced((tx) =>
        keys.retireAll(tx, { instanceId: context.task.instanceId, fence: context.task.fence }),
      );
      keys.forget(context.task.instanceId);
    },
  };
}
