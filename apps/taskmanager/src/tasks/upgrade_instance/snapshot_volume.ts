import { intendResource, markResource } from '@trove/catalog';
import type { Step, StepContext } from '@trove/tasks';
import type { Transaction } from '../../guests/guest_keys.ts';
import { optionalText } from '../shared/outputs.ts';
import { COMPUTE_TIMEOUT_MS, COPY_TIMEOUT_MS, RETRY, type TaskTools } from '../shared/tools.ts';
import { oldServer, requireOldServer, requireWayBack } from './find_server.ts';

const SNAPSHOT_VOLUME = 'snapshot_volume';

/**
 * A copy of the volume to go back to, taken while the database is stopped. Where the driver has none, an upgrade to the same
 * version goes on without: the data is not converted, and stays as it is.
 */
export function snapshotVolume(tools: TaskTools): Step {
  const { compute } = tools;
  return {
    name: SNAPSHOT_VOLUME,
    timeoutMs: COPY_TIMEOUT_MS,
    retry: RETRY,
    async run(context) {
      const { volumeId } = oldServer(context);
      if (volumeId === undefined) return { done: { snapshot_id: null } };
      if (!compute.canSnapshot) {
        // An earlier release began, and did not ask first.
        requireWayBack(tools, context);
        return { done: { snapshot_id: null } };
      }
      const { token } = context;
      const { instanceId, id: taskId } = context.task;
      await context.fenced((tx) => intendResource(tx, { token, kind: 'snapshot', instanceId, taskId }));
      const { snapshotId } = await compute.snapshotVolume(volumeId, token, context.signal);
      await context.fenced((tx) => markResource(tx, { token, state: 'live', externalId: snapshotId }));
      return { done: { snapshot_id: snapshotId, token } };
    },
    async undo(context) {
      requireOldServer(context);
      const { volumeId } = oldServer(context);
      const snapshotId = snapshotOf(context) ?? (await compute.findSnapshot(context.token, volumeId))?.snapshotId;
      if (snapshotId !== undefined) await compute.deleteSnapshot(snapshotId, context.signal);
      await context.fenced((tx) => markResource(tx, { token: context.token, state: 'gone' }));
    },
  };
}

/** Once the new server is healthy nothing is ever rolled back; a copy that cannot be dropped now is left to the reconciler. */
export function dropSnapshot({ compute }: TaskTools): Step {
  return {
    name: 'drop_snapshot',
    timeoutMs: COMPUTE_TIMEOUT_MS,
    retry: RETRY,
    leave: (context) => context.fenced((tx) => leaveSnapshot(tx, context)),
    async run(context) {
      const snapshotId = snapshotOf(context);
      if (snapshotId !== undefined) {
        await compute.deleteSnapshot(snapshotId, context.signal);
        const token = optionalText(context.outputs[SNAPSHOT_VOLUME], 'token');
        if (token !== undefined) await context.fenced((tx) => markResource(tx, { token, state: 'gone' }));
      }
      return { done: { dropped: snapshotId !== undefined } };
    },
  };
}

/** Nobody goes back to it any more: the reconciler takes it away. */
export async function leaveSnapshot(tx: Transaction, { outputs }: Pick<StepContext, 'outputs'>): Promise<void> {
  const token = optionalText(outputs[SNAPSHOT_VOLUME], 'token');
  if (token !== undefined) await markResource(tx, { token, state: 'deleting' });
}

export function snapshotOf(context: StepContext): string | undefined {
  return optionalText(context.outputs[SNAPSHOT_VOLUME], 'snapshot_id');
}
