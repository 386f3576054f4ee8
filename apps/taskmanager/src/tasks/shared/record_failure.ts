import { recordFault } from '@trove/catalog';
import type { TaskKind } from '@trove/tasks';
import type { Transaction } from '../../guests/guest_keys.ts';

/** Says on the instance, to its tenant, why a task failed; what could not be undone is for admins. */
export async function recordFailure(tx: Transaction, end: Parameters<TaskKind['onFailed']>[1]): Promise<void> {
  const { code, message } = end.error;
  const left = end.left.length === 0 ? '' : ` Not undone: ${end.left.join(', ')}.`;
  await recordFault(tx, {
    instanceId: end.task.instanceId,
    message,
    details: `${end.task.kind}: ${code}: ${message}${left}`,
  });
}
