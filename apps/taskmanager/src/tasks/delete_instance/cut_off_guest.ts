import { markResource, resourcesOfInstance } from '@trove/catalog';
import type { Step } from '@trove/tasks';
import { closeAccount } from '../shared/guest_accounts.ts';
import { CATALOG_TIMEOUT_MS, PERSISTENT_RETRY, type TaskTools } from '../shared/tools.ts';

/** The first act of a delete: nothing that the guest says counts any more, and nothing reaches it. */
export function cutOffGuest(tools: TaskTools): Step {
  const { guests, keys } = tools;
  return {
    name: 'cut_off_guest',
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const { instanceId, fence } = context.task;
      await closeAccount(tools, context);
      await context.fenced((tx) => keys.retireAll(tx, { instanceId, fence }));
      keys.forget(instanceId);
      await guests.deleteGuest(instanceId);
      await context.fenced(async (tx) => {
        const queues = (await resourcesOfInstance(tx, instanceId)).filter((resource) => resource.kind === 'queue');
        for (const { token } of queues) await markResource(tx, { token, state: 'gone' });
      });
      return { done: { cut_off: true } };
    },
  };
}
