import type { Knex } from 'knex';
import { dbNow } from '../database_time.ts';
import { type DatabaseBigint, type InstanceReportRow } from '../tables.ts';

/** The instances in quarantine and since when, in microseconds since 1970; the oldest first. */
export async function listQuarantine(
  executor: Knex,
): Promise<readonly { instance_id: string; quarantined_at: DatabaseBigint }[]> {
  return await executor<InstanceReportRow>('instance_reports')
    .join('instances', 'instances.id', 'instance_reports.instance_id')
    .where({ 'instances.deleted': 0 })
    .whereNotNull('quarantined_at')
    .orderBy('quarantined_at')
    .select('instance_reports.instance_id', 'instance_reports.quarantined_at');
}

/** The instance is spoken to again, beginning with a `hello`. False where it was in no quarantine. */
export async function liftQuarantine(executor: Knex, instanceId: string): Promise<boolean> {
  const lifted = await executor('instance_reports')
    .where({ instance_id: instanceId })
    .whereNotNull('quarantined_at')
    .update({
      quarantined_at: null,
      previous_nonce: null,
      nonce_since: null,
      boot_nonce: null,
      sequence: null,
      hello_wanted: dbNow(executor),
    });
  return lifted > 0;
}

/** A taskmanager is to greet this guest; asked for once in 10 s at most. */
export async function wantHello(executor: Knex, instanceId: string): Promise<void> {
  await executor('instance_reports')
    .where({ instance_id: instanceId, quarantined_at: null })
    .andWhereRaw('(hello_wanted IS NULL OR ABS(hello_wanted) < ? - ?)', [dbNow(executor), HELLO_EVERY_MICROS])
    .update({ hello_wanted: dbNow(executor) });
}

/** Between two wishes for a `hello` of one instance. */
export const HELLO_EVERY_MICROS = 10_000_000;
