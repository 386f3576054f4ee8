import { TroveError } from '@trove/common';
import type { Step } from '@trove/tasks';
import { askGuest } from '../shared/ask_guest.ts';
import { CATALOG_TIMEOUT_MS, PERSISTENT_RETRY, type TaskTools } from '../shared/tools.ts';
import { UNTIL_REPORTED } from '../shared/waits.ts';
import { isSilent } from './pre_upgrade.ts';

/**
 * Makes sure that nobody could be asked to stop the database: the guest, as the catalog would have it spoken to, is asked in
 * vain for as long as it may take, and is not heard of meanwhile. Rejects with `UNPROCESSABLE`, for good, where it answers.
 */
export function requireSilence(tools: TaskTools): Step {
  return {
    name: 'require_silence',
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const { instanceId } = context.task;
      const answer = await askGuest(tools, context, (deadlineMs) =>
        tools.guests.call(instanceId, 'rpc_ping', {}, { deadlineMs, signal: context.signal }),
      );
      if (answer !== undefined)
        throw new TroveError('UNPROCESSABLE', `The guest agent of instance ${instanceId} answers: upgrade it instead.`);
      if (await isSilent(tools, context)) return { done: { silent: true } };
      return { wait: { ...UNTIL_REPORTED, progress: 'it is found out whether the guest agent answers' } };
    },
  };
}
