import { closeInstance, releaseQuota, writeInstance } from '@trove/catalog';
import { SERVICE_STATUSES, TASK_STATUSES } from '@trove/contracts';
import type { TaskKind } from '@trove/tasks';
import { numberMember } from '../shared/outputs.ts';
import { recordFailure } from '../shared/record_failure.ts';
import { taskValues } from '../shared/task_values.ts';
import type { TaskTools } from '../shared/tools.ts';
import { cutOffGuest } from './cut_off_guest.ts';
import { deleteServer } from './delete_server.ts';
import { deleteVolume } from './delete_volume.ts';
import { findParts } from './find_parts.ts';

/** What the kind and those who file it here have in common. */
export const DELETE = { kind: 'delete_instance', codeVersion: 1, deadlineMs: 3_600_000 } as const;

/** Guest cut off, server, volume, row: also of an instance that was built by half or not at all. It only goes forward. */
export function deleteInstance(tools: TaskTools): TaskKind {
  const steps = [findParts(tools), cutOffGuest(tools), deleteServer(tools), deleteVolume(tools)];
  return {
    ...DELETE,
    compensationDeadlineMs: 60_000,
    steps: () => steps,
    async onDone(tx, { task, outputs }) {
      const { projectId, instanceId, fence } = task;
      const parts = outputs['find_parts'];
      const amounts = { instances: 1, ram: numberMember(parts, 'ram'), volumes: numberMember(parts, 'volume_size') };
      await releaseQuota(tx, { projectId, instanceId, amounts });
      await closeInstance(tx, { instanceId, fence, task: TASK_STATUSES.NONE, serviceStatus: SERVICE_STATUSES.DELETED });
    },
    async onFailed(tx, end) {
      const { instanceId, fence } = end.task;
      // A deleting instance whose server is in ERROR shows as ERROR, and may be deleted again.
      await writeInstance(tx, { instanceId, fence, values: { ...taskValues('DELETING'), server_status: 'ERROR' } });
      await recordFailure(tx, end);
    },
    onCancelled: async () => {},
  };
}
