import { intendResource, markResource } from '@trove/catalog';
import type { Step } from '@trove/tasks';
import { CATALOG_TIMEOUT_MS, RETRY, type TaskTools } from '../shared/tools.ts';
import { newKeyVersion, requireOldServer } from './find_server.ts';

/**
 * With secure messaging on each upgrade makes a new key, an adopted instance's first too; with it off only a keyed instance
 * gets one, unless `always`. It is pending: nothing is spoken under it until the old server is stopped.
 */
export function makePendingKey({ keys, guests, settings }: TaskTools, { always = false } = {}): Step {
  return {
    name: 'make_pending_key',
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: RETRY,
    async run(context) {
      const { instanceId, fence, id: taskId } = context.task;
      const { token } = context;
      const version = await context.fenced(async (tx) => {
        if (!always && !settings.secureMessaging && (await keys.activeVersion(tx, instanceId)) === null) return null;
        await intendResource(tx, { token, kind: 'queue', instanceId, taskId });
        return keys.makeInjected(tx, { instanceId, fence });
      });
      keys.forget(instanceId);
      if (version !== null) {
        await guests.declareGuest(instanceId, 2);
        await context.fenced((tx) => markResource(tx, { token, state: 'live', externalId: instanceId }));
      }
      return { done: { version } };
    },
    async undo(context) {
      requireOldServer(context);
      const { instanceId, fence } = context.task;
      const version = newKeyVersion(context);
      await context.fenced((tx) => keys.revokePending(tx, { instanceId, fence, version }));
      keys.forget(instanceId);
    },
  };
}
