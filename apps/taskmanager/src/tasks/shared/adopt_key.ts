import type { Step } from '@trove/tasks';
import { provenVersion } from './agree_key.ts';
import { CATALOG_TIMEOUT_MS, PERSISTENT_RETRY, type TaskTools } from './tools.ts';

/** What the guest has proven to hold becomes the instance's key. From here on the old one is worth nothing. */
export function adoptProvenKey({ keys }: TaskTools): Step {
  return {
    name: 'adopt_key',
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const { instanceId, fence } = context.task;
      const version = provenVersion(context);
      if (version === undefined) return { done: { version: null } };
      await context.fenced((tx) => keys.activate(tx, { instanceId, fence, version }));
      keys.forget(instanceId);
      return { done: { version } };
    },
  };
}
