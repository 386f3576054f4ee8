import { markResource, type ResourceRow, resourcesOfInstance } from '@trove/catalog';
import type { Step, StepContext } from '@trove/tasks';
import { optionalText } from '../shared/outputs.ts';
import { COMPUTE_TIMEOUT_MS, PERSISTENT_RETRY, type TaskTools } from '../shared/tools.ts';

/** Takes away the volume that the row names, and each volume and snapshot that a task of this instance left. */
export function deleteVolume(tools: TaskTools): Step {
  const { compute, catalog } = tools;
  return {
    name: 'delete_volume',
    timeoutMs: COMPUTE_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const owned = await resourcesOfInstance(catalog.knex, context.task.instanceId);
      const volumeId = optionalText(context.outputs['find_parts'], 'volume_id');
      for (const resource of owned) await remove(tools, context, resource, volumeId);
      if (volumeId !== undefined) await compute.deleteVolume(volumeId, context.signal);
      return { done: { gone: true } };
    },
  };
}

async function remove(
  { compute }: TaskTools,
  context: StepContext,
  { kind, token, external_id }: ResourceRow,
  ownVolumeId: string | undefined,
): Promise<void> {
  if (kind !== 'volume' && kind !== 'snapshot') return;
  // One that is only intended may be there all the same: its maker died before it could say so. A snapshot is then beside
  // its volume; for a volume every host is asked.
  if (kind === 'snapshot') {
    const snapshotId = external_id ?? (await compute.findSnapshot(token, ownVolumeId))?.snapshotId;
    if (snapshotId !== undefined) await compute.deleteSnapshot(snapshotId, context.signal);
  } else {
    const volumeId = external_id ?? (await compute.findVolume(token))?.volumeId;
    if (volumeId !== undefined) await compute.deleteVolume(volumeId, context.signal);
  }
  await context.fenced((tx) => markResource(tx, { token, state: 'gone' }));
}
