import { TroveError } from '@trove/common';
import type { Step } from '@trove/tasks';
import { knownServer } from '../shared/known_server.ts';
import { numberMember } from '../shared/outputs.ts';
import { COMPUTE_TIMEOUT_MS, RETRY, type TaskTools } from '../shared/tools.ts';

/** A repeat finds the volume as large as it asks for. Output: how large the driver says that it is now. */
export function extendVolume(tools: TaskTools): Step {
  const { compute } = tools;
  return {
    name: 'extend_volume',
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
  };
}
