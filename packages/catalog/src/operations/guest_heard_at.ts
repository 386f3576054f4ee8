import type { Knex } from 'knex';
import { toBigint } from '../bigint.ts';
import { dbNow } from '../database_time.ts';
import type { DatabaseBigint, InstanceReportRow } from '../tables.ts';

/** Epoch microseconds of the database. */
export interface GuestHeard {
  readonly now: bigint;
  /** When a report or an answer to `hello` was last taken from the guest, under a key that the catalog has; 0: never. */
  readonly heardAt: bigint;
}

export async function guestHeard(executor: Knex, instanceId: string): Promise<GuestHeard> {
  const { now }: { now: DatabaseBigint } = await executor.select({ now: dbNow(executor) }).first();
  const row = await executor<InstanceReportRow>('instance_reports')
    .where({ instance_id: instanceId })
    .first('received_at', 'nonce_since');
  const [reported, greeted] = [toBigint(row?.received_at ?? 0), toBigint(row?.nonce_since ?? 0)];
  return { now: toBigint(now), heardAt: reported > greeted ? reported : greeted };
}
