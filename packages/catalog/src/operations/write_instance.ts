import { TroveError } from '@trove/common';
import type { Knex } from 'knex';
import type { InstanceRow } from '../tables.ts';

/** Columns of an instance that a task writes; times as `troveNow` or null. */
export type InstanceValues = {
  [Column in Exclude<keyof InstanceRow, 'id' | 'fence' | 'deleted'>]?: InstanceRow[Column] | Knex.Raw;
};

/** One write of a task to its instance. Rejects with `STALE_FENCE` where another worker has the task by now, or the row is deleted. */
export async function writeInstance(
  tx: Knex.Transaction,
  args: { instanceId: string; fence: bigint; values: InstanceValues },
): Promise<void> {
  const written = await tx('instances')
    .where({ id: args.instanceId, fence: String(args.fence), deleted: 0 })
    .update(args.values);
  if (written === 0) throw new TroveError('STALE_FENCE', 'The instance is worked on by another task.');
}
