import { freeDeadSlot, type InstanceRow, lockInstance } from '@trove/catalog';
import { fileTask } from '@trove/tasks';
import type { Transaction } from '../guests/guest_keys.ts';

export const RECONCILE_INSTANCE = 'reconcile_instance';
export const RECONCILE_VERSION = 1;
export const RECONCILE_DEADLINE_MS = 600_000;

/**
 * Files the task that settles this instance, which takes its slot. False where the instance is gone or `still` does not hold
 * for it any more; rejects with `UNPROCESSABLE` where another task has the slot.
 */
export async function fileReconcile(
  tx: Transaction,
  args: {
    readonly instanceId: string;
    /** An operator has seen what the catalog never heard of. */
    readonly allowUnheard: boolean;
    readonly still?: ((row: InstanceRow) => boolean) | undefined;
  },
): Promise<boolean> {
  const { instanceId, allowUnheard, still = () => true } = args;
  const row = await lockInstance(tx, instanceId);
  if (row === undefined || !still(row)) return false;
  await freeDeadSlot(tx, instanceId);
  await fileTask(tx, {
    kind: RECONCILE_INSTANCE,
    instanceId,
    projectId: row.tenant_id ?? '',
    params: { allow_unheard: allowUnheard },
    deadlineMs: RECONCILE_DEADLINE_MS,
    codeVersion: RECONCILE_VERSION,
  });
  return true;
}
