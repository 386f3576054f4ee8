import type { Knex } from 'knex';
import { dbNow } from '../database_time.ts';
import { ensureReportRow } from './record_hello.ts';

/** The next page, by id, of legacy instances that report and have no task at work: they tell their volume's figures only when asked. */
export async function legacyInstancesToAsk(
  executor: Knex,
  args: { after: string; limit: number; reportedWithinMs: number },
): Promise<string[]> {
  const rows: { id: string }[] = await executor('instances as i')
    .join('instance_reports as r', 'r.instance_id', 'i.id')
    .where('i.id', '>', args.after)
    .where('i.deleted', 0)
    .where('i.rpc_policy', '<', 2)
    .whereNull('i.active_task_id')
    .where('r.received_at', '>', executor.raw('? - ?', [dbNow(executor), args.reportedWithinMs * 1000]))
    .orderBy('i.id')
    .limit(args.limit)
    .select('i.id');
  return rows.map((row) => row.id);
}

/** Stores a legacy guest's figures, in GB. */
export async function writeVolumeFigures(
  tx: Knex.Transaction,
  args: { instanceId: string; used: number; total: number },
): Promise<void> {
  await ensureReportRow(tx, args.instanceId);
  await tx('instance_reports')
    .where({ instance_id: args.instanceId })
    .update({ volume_used: args.used, volume_total: args.total });
}
