import type { Knex } from 'knex';
import { toBigint } from '../bigint.ts';
import type { InstanceReportRow } from '../tables.ts';

/**
 * When a report or an answer to `hello` was last taken from the guest, under a key that the catalog has: epoch microseconds of
 * the database; 0: never.
 */
export async function guestHeardAt(executor: Knex, instanceId: string): Promise<bigint> {
  const row = await executor<InstanceReportRow>('instance_reports')
    .where({ instance_id: instanceId })
    .first('received_at', 'nonce_since');
  const [reported, greeted] = [toBigint(row?.received_at ?? 0), toBigint(row?.nonce_since ?? 0)];
  return reported > greeted ? reported : greeted;
}
