import type { Knex } from 'knex';
import { troveNow } from '../database_time.ts';

/** The status of an instance's database as the control plane itself says it; a heartbeat replaces it later. */
export async function writeServiceStatus(
  tx: Knex.Transaction,
  args: { instanceId: string; status: { readonly code: number; readonly description: string } },
): Promise<void> {
  await tx('service_statuses')
    .where({ instance_id: args.instanceId })
    .update({ status_id: args.status.code, status_description: args.status.description, updated_at: troveNow(tx) });
}
