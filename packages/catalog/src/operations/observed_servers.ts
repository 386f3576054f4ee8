import { TASK_STATUSES } from '@trove/contracts';
import type { Knex } from 'knex';
import type { InstanceRow } from '../tables.ts';

export interface ObservedServer {
  readonly instanceId: string;
  readonly serverId: string;
  readonly serverStatus: string | null;
  readonly serverHost: string | null;
}

/**
 * The next page, by instance id, of instances that have a server and no task of ours at work on them. A delete that failed
 * shows ERROR by its server's status, whatever the server is: it is left out.
 */
export async function serversToObserve(executor: Knex, after: string, limit: number): Promise<ObservedServer[]> {
  const rows = await executor<InstanceRow>('instances')
    .where('id', '>', after)
    .where({ deleted: 0 })
    .whereNotNull('compute_instance_id')
    .whereNull('active_task_id')
    .andWhereRaw('(task_id IS NULL OR task_id <> ?)', [TASK_STATUSES.DELETING.code])
    .orderBy('id')
    .limit(limit)
    .select('id', 'compute_instance_id', 'server_status', 'server_host');
  return rows.map((row) => ({
    instanceId: row.id,
    serverId: row.compute_instance_id ?? '',
    serverStatus: row.server_status,
    serverHost: row.server_host,
  }));
}

/** Writes what was seen, unless a task has taken the instance or replaced its server meanwhile. */
export async function writeObservedStatus(executor: Knex, seen: ObservedServer): Promise<void> {
  await executor<InstanceRow>('instances')
    .where({ id: seen.instanceId, compute_instance_id: seen.serverId, deleted: 0 })
    .whereNull('active_task_id')
    .update({ server_status: seen.serverStatus, server_host: seen.serverHost });
}
