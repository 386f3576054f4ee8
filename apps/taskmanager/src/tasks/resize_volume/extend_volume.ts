import { followWorld, type InstanceRow, withTransaction } from '@trove/catalog';
import { TroveError } from '@trove/common';
import type { Step } from '@trove/tasks';
import { knownServer } from '../shared/known_server.ts';
import { numberMember } from '../shared/outputs.ts';
import { COMPUTE_TIMEOUT_MS, RETRY, type TaskTools } from '../shared/tools.ts';

export const EXTEND_VOLUME = 'extend_volume';

/**
 * A repeat finds the volume as large as it asks for. Output: how large the driver says that it is now. Nothing makes it
 * smaller again, so the undo books what came of it; where that cannot be asked for, the reconciler does.
 */
export function extendVolume(tools: TaskTools): Step {
  const { catalog, compute } = tools;
  return {
    name: EXTEND_VOLUME,
    timeoutMs: COMPUTE_TIMEOUT_MS,
    retry: RETRY,
    async run(context) {
      const { instance } = await knownServer(tools, context.task.instanceId);
      if (instance.volume_id === null) throw new TroveError('UNPROCESSABLE', 'The instance has no volume.');
      const wanted = numberMember(context.task.params, 'volume_size');
      await compute.extendVolume(instance.volume_id, wanted, context.signal);
      const size = (await compute.volumeSize(instance.volume_id)) ?? 0;
      if (size < wanted) throw new TroveError('COMPUTE_ERROR', 'The volume has not grown.', { retryable: true });
      return { done: { size } };
    },
    async undo({ task, signal }) {
      const { projectId, instanceId, fence } = task;
      const instance = await catalog.knex<InstanceRow>('instances').where({ id: instanceId }).first('volume_id');
      const volumeId = instance?.volume_id ?? null;
      const volumeSize = volumeId === null ? undefined : await compute.volumeSize(volumeId);
      signal.throwIfAborted();
      // Not under the instance's lock from the start: quota is locked before it. The fence is in the write.
      await withTransaction(catalog, (tx) => followWorld(tx, { projectId, instanceId, fence, found: { volumeSize } }));
    },
  };
}
