import { TASK_STATUSES } from '@trove/contracts';
import type { Knex } from 'knex';
import type { InstanceRow } from '../tables.ts';

/** The task kind that takes instances away. */
const DELETE_KIND = 'delete_instance';

/**
 * Ids of the instances whose delete was accepted here and has failed, and on which nobody works: their tenants do not want
 * them any more. One that an adopted Trove left in DELETING is not among them.
 */
export async function failedDeletes(executor: Knex, only?: string): Promise<readonly string[]> {
  const failed = executor('tasks as t')
    .select('t.id')
    .whereRaw('t.instance_id = instances.id')
    .where({ 't.kind': DELETE_KIND, 't.state': 'failed' });
  const rows = await executor<InstanceRow>('instances')
    .where({ deleted: 0, active_task_id: null, task_id: TASK_STATUSES.DELETING.code })
    .where(only === undefined ? {} : { id: only })
    .whereExists(failed)
    .select('id');
  return rows.map(({ id }) => id);
}
