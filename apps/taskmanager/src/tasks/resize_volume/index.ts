import { clearFaults, settleGrowth, troveNow, writeInstance } from '@trove/catalog';
import type { TaskEnd, TaskKind } from '@trove/tasks';
import type { Transaction } from '../../guests/guest_keys.ts';
import { numberMember } from '../shared/outputs.ts';
import { recordFailure } from '../shared/record_failure.ts';
import { taskValues } from '../shared/task_values.ts';
import type { TaskTools } from '../shared/tools.ts';
import { EXTEND_VOLUME, extendVolume } from './extend_volume.ts';

/** The volume grows under the running database. Row and quota say in the end what the volume is, whatever was asked for. */
export function resizeVolume(tools: TaskTools): TaskKind {
  const steps = [extendVolume(tools)];
  return {
    kind: 'resize_volume',
    codeVersion: 1,
    deadlineMs: 900_000,
    compensationDeadlineMs: 60_000,
    steps: () => steps,
    async onDone(tx, end) {
      await settle(tx, end, true);
      await clearFaults(tx, end.task.instanceId);
    },
    async onFailed(tx, end) {
      await settle(tx, end, false);
      await recordFailure(tx, end);
    },
    onCancelled: (tx, end) => settle(tx, end, false),
  };
}

async function settle(tx: Transaction, { task, outputs }: TaskEnd, done: boolean): Promise<void> {
  const { projectId, instanceId, fence, params } = task;
  const previous = numberMember(params, 'previous_size');
  const size = done ? numberMember(outputs[EXTEND_VOLUME], 'size') : previous;
  const change = { volumes: size - previous };
  await settleGrowth(tx, { projectId, instanceId, change, done });
  const values = {
    ...taskValues('NONE'),
    ...(done && { volume_size: size }),
    task_start_time: null,
    updated: troveNow(tx),
  };
  await writeInstance(tx, { instanceId, fence, values });
}
