import { forgetBoot, writeServiceStatus } from '@trove/catalog';
import { SERVICE_STATUSES } from '@trove/contracts';
import type { Json, Step, StepContext } from '@trove/tasks';
import { flavorOf } from '../create_instance/create_server.ts';
import { objectMember, textMember } from '../shared/outputs.ts';
import { COPY_TIMEOUT_MS, RETRY, type TaskTools } from '../shared/tools.ts';
import { FIND_SERVER, isSealed } from './find_server.ts';

/**
 * From here on only what the server says under its new flavor counts. A repeat finds the flavor that it asks for and leaves
 * the server alone; the undo asks for the one of before.
 */
export function resizeServer({ compute }: TaskTools): Step {
  const ask = async ({ task, outputs, signal }: StepContext, member: 'flavor' | 'previous_flavor'): Promise<Json> => {
    const flavor = flavorOf({ task: { ...task, params: { flavor: objectMember(task.params, member) } } });
    const resized = await compute.resizeServer(
      { serverId: textMember(outputs[FIND_SERVER], 'server_id'), flavor },
      signal,
    );
    return { flavor_id: resized.flavorId };
  };
  return {
    name: 'resize_server',
    // A database is given a minute to stop.
    timeoutMs: COPY_TIMEOUT_MS,
    retry: RETRY,
    async run(context) {
      const { instanceId } = context.task;
      const pause = { instanceId, status: SERVICE_STATUSES.PAUSED };
      if (context.noted === undefined) {
        await context.fenced(async (tx) => {
          await writeServiceStatus(tx, pause);
          await forgetBoot(tx, instanceId);
        });
        // Whoever comes after a kill may find that the new boot has reported already.
        await context.note('silenced');
      }
      const resized = await ask(context, 'flavor');
      // In clear the old agent's last heartbeat has counted all the while; the new one's next says what is.
      if (!isSealed(context)) await context.fenced((tx) => writeServiceStatus(tx, pause));
      return { done: resized };
    },
    async undo(context) {
      await ask(context, 'previous_flavor');
    },
  };
}
