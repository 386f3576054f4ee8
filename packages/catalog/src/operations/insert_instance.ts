import { newUuid } from '@trove/common';
import { SERVICE_STATUSES, TASK_STATUSES } from '@trove/contracts';
import type { Knex } from 'knex';
import { troveNow } from '../database_time.ts';
import type { InstanceRow } from '../tables.ts';

export type NewInstanceRow = Required<
  Pick<
    InstanceRow,
    'id' | 'name' | 'tenant_id' | 'flavor_id' | 'volume_size' | 'datastore_version_id' | 'region_id' | 'access'
  >
>;

/** The rows of an instance that is about to be built: task BUILDING, service status NEW, no key, slot free. */
export async function insertInstance(tx: Knex.Transaction, instance: NewInstanceRow): Promise<void> {
  const now = troveNow(tx);
  await tx('instances').insert({
    ...instance,
    created: now,
    updated: now,
    task_id: TASK_STATUSES.BUILDING.code,
    task_description: TASK_STATUSES.BUILDING.text,
    task_start_time: now,
    deleted: 0,
    rpc_policy: 0,
    fence: 0,
  });
  await tx('service_statuses').insert({
    id: newUuid(),
    instance_id: instance.id,
    status_id: SERVICE_STATUSES.NEW.code,
    status_description: SERVICE_STATUSES.NEW.description,
    updated_at: now,
  });
}
