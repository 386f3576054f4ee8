import { TroveError } from '@trove/common';
import type { Knex } from 'knex';
import { troveNow } from '../database_time.ts';
import { clearFaults } from './record_fault.ts';

/**
 * The end of an instance whose server and volume are gone: the row stays, marked deleted as Trove marks it, without key and
 * without ties. Rejects with `STALE_FENCE` where another worker has the task.
 */
export async function closeInstance(
  tx: Knex.Transaction,
  args: {
    instanceId: string;
    fence: bigint;
    task: { readonly code: number; readonly text: string };
    serviceStatus: { readonly code: number; readonly description: string };
  },
): Promise<void> {
  const now = troveNow(tx);
  const closed = await tx('instances')
    .where({ id: args.instanceId, fence: String(args.fence), deleted: 0 })
    .update({
      deleted: 1,
      deleted_at: now,
      updated: now,
      task_id: args.task.code,
      task_description: args.task.text,
      task_start_time: null,
      server_status: null,
      encrypted_key: null,
      addresses: null,
      datastore_version_id: null,
      configuration_id: null,
      slave_of_id: null,
      cluster_id: null,
    });
  if (closed === 0) throw new TroveError('STALE_FENCE', 'The instance is worked on by another task.');
  await tx('service_statuses').where({ instance_id: args.instanceId }).update({
    status_id: args.serviceStatus.code,
    status_description: args.serviceStatus.description,
    updated_at: now,
  });
  await tx('instance_reports').where({ instance_id: args.instanceId }).del();
  await tx('conductor_lastseen').where({ instance_id: args.instanceId }).del();
  await clearFaults(tx, args.instanceId);
}
