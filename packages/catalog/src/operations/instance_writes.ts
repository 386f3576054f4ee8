import { TASK_STATUSES, type TaskStatusName } from '@trove/contracts';
import type { Knex } from 'knex';
import { troveNow } from '../database_time.ts';
import { dialectOf } from '../dialect.ts';
import type { InstanceRow, ResourceRow } from '../tables.ts';

/** The instance's row, locked for this transaction; undefined where it is gone. */
export async function lockInstance(tx: Knex.Transaction, instanceId: string): Promise<InstanceRow | undefined> {
  const query = tx<InstanceRow>('instances').where({ id: instanceId, deleted: 0 }).first('*');
  return await (dialectOf(tx) === 'mysql' ? query.forUpdate() : query);
}

/** Says in Trove's columns what is being done to an instance from now on. */
export async function setInstanceTask(
  tx: Knex.Transaction,
  instanceId: string,
  task: TaskStatusName,
  columns: Partial<Pick<InstanceRow, 'configuration_id'>> = {},
): Promise<void> {
  const { code, text } = TASK_STATUSES[task];
  await tx('instances')
    .where({ id: instanceId, deleted: 0 })
    .update({
      ...columns,
      task_id: code,
      task_description: text,
      task_start_time: troveNow(tx),
      updated: troveNow(tx),
    });
}

/**
 * Whether the instance's server is one that this deployment made or that its compute driver has seen. One that a delete
 * has taken away counts: that delete may have failed later, and has to be asked for again.
 */
export async function isServerKnown(tx: Knex.Transaction, instance: InstanceRow): Promise<boolean> {
  if (instance.compute_instance_id === null || instance.server_status !== null) return true;
  const row = await tx<ResourceRow>('resources')
    .where({ kind: 'server', instance_id: instance.id, external_id: instance.compute_instance_id })
    .first('token');
  return row !== undefined;
}

/** Ids of the instance's replicas. */
export async function replicasOf(tx: Knex.Transaction, instanceId: string): Promise<string[]> {
  const rows = await tx<InstanceRow>('instances').where({ slave_of_id: instanceId, deleted: 0 }).select('id');
  return rows.map((row) => row.id);
}

/** Gives the instance another name. */
export async function renameInstance(tx: Knex.Transaction, instanceId: string, name: string): Promise<void> {
  await tx('instances')
    .where({ id: instanceId, deleted: 0 })
    .update({ name, updated: troveNow(tx) });
}
