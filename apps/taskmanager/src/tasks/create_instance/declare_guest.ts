import { intendResource, markResource } from '@trove/catalog';
import type { Step, StepContext } from '@trove/tasks';
import { closeAccount, newAccount, openAccount } from '../shared/guest_accounts.ts';
import { memberOf } from '../shared/outputs.ts';
import { CATALOG_TIMEOUT_MS, RETRY, type TaskTools } from '../shared/tools.ts';

/**
 * The guest's queue, and its account, are there before the guest: what is sent to it meanwhile waits instead of being lost.
 */
export function declareGuest(tools: TaskTools): Step {
  const { guests } = tools;
  return {
    name: 'declare_guest',
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: RETRY,
    async run(context) {
      const { token } = context;
      const { instanceId, id: taskId } = context.task;
      await context.fenced((tx) => intendResource(tx, { token, kind: 'queue', instanceId, taskId }));
      const policy = isKeyed(context) ? 2 : 0;
      const account = newAccount(tools, context);
      if (account === undefined) await guests.declareGuest(instanceId, policy);
      else await openAccount(tools, context, account);
      await context.fenced((tx) => markResource(tx, { token, state: 'live', externalId: instanceId }));
      return { done: { policy } };
    },
    async undo(context) {
      await closeAccount(tools, context);
      await guests.deleteGuest(context.task.instanceId);
      await context.fenced((tx) => markResource(tx, { token: context.token, state: 'gone' }));
    },
  };
}

/** Whether the instance was given a key in this create. */
export function isKeyed(context: StepContext): boolean {
  return firstKeyVersion(context) !== undefined;
}

/** The version of the key that goes into the server's files; undefined where the instance has none. */
export function firstKeyVersion(context: StepContext): number | undefined {
  const version = memberOf(context.outputs['make_key'], 'version');
  return typeof version === 'number' ? version : undefined;
}
