import type { Knex } from 'knex';
import { dbNow } from '../database_time.ts';
import { dialectOf } from '../dialect.ts';
import { isDuplicate } from '../errors.ts';
import type { InstanceReportRow } from '../tables.ts';

/** What a guest's `hello` told. */
export interface Hello {
  readonly instanceId: string;
  /** 32 hex digits: what was stored when `hello` was asked; null for none. */
  readonly expectedNonce: string | null;
  readonly bootNonce: string;
  readonly sequence: bigint;
  readonly keyVersion: number;
}

/**
 * `overtaken`: nothing was written, since another `hello` was stored meanwhile, the instance is deleted or in quarantine, or
 * the key that it answered under is no longer the live one. `clone`: two boots take turns, so two guests share a key, and
 * from now on the instance is in quarantine.
 */
export type HelloOutcome = 'stored' | 'overtaken' | 'clone';

/** A guest that starts anew never comes back to an earlier boot: two that alternate within this time are two guests. */
const ALTERNATES_WITHIN_MICROS = 60_000_000;

/** Stores the boot that reports are measured by. */
export async function recordHello(tx: Knex.Transaction, hello: Hello): Promise<HelloOutcome> {
  await ensureReportRow(tx, hello.instanceId);
  const same = dialectOf(tx) === 'mysql' ? '<=>' : 'IS';
  const isNew = tx.raw('CASE WHEN boot_nonce = ? THEN 0 ELSE 1 END', [hello.bootNonce]);
  const sequence = String(hello.sequence);
  const written = await tx('instance_reports')
    .where({ instance_id: hello.instanceId, quarantined_at: null })
    .whereRaw(`boot_nonce ${same} ?`, [hello.expectedNonce])
    .whereExists(tx('instances').where({ id: hello.instanceId, deleted: 0 }).select('id'))
    .whereExists(
      tx('instance_keys')
        .where({ instance_id: hello.instanceId, version: hello.keyVersion })
        .whereNot({ state: 'retired' })
        .select('version'),
    )
    .where(
      (query) =>
        void query
          .whereExists(exclusiveKeys(tx, hello.instanceId).andWhere({ version: hello.keyVersion }))
          .orWhereNotExists(exclusiveKeys(tx, hello.instanceId)),
    )
    .update({
      // In this order: MySQL assigns from left to right, and each expression means the row as it was.
      quarantined_at: tx.raw('CASE WHEN ? = 1 AND previous_nonce = ? AND nonce_since > ? - ? THEN ? ELSE NULL END', [
        isNew,
        hello.bootNonce,
        dbNow(tx),
        ALTERNATES_WITHIN_MICROS,
        dbNow(tx),
      ]),
      previous_nonce: tx.raw('CASE WHEN ? = 1 THEN boot_nonce ELSE previous_nonce END', [isNew]),
      nonce_since: tx.raw('CASE WHEN ? = 1 THEN ? ELSE nonce_since END', [isNew, dbNow(tx)]),
      sequence: tx.raw('CASE WHEN ? = 1 OR sequence < ? THEN ? ELSE sequence END', [isNew, sequence, sequence]),
      boot_nonce: hello.bootNonce,
      hello_wanted: tx.raw('-?', [dbNow(tx)]),
    });
  if (written === 0) return 'overtaken';
  const row = await tx<InstanceReportRow>('instance_reports')
    .where({ instance_id: hello.instanceId })
    .first('quarantined_at');
  return (row?.quarantined_at ?? null) === null ? 'stored' : 'clone';
}

/** The keys beside which no other is accepted: those of an upgrade that has stopped the old server. */
function exclusiveKeys(tx: Knex.Transaction, instanceId: string): Knex.QueryBuilder {
  return tx('instance_keys')
    .where({ instance_id: instanceId, state: 'pending' })
    .whereNotNull('exclusive_since')
    .select('version');
}

/** From now on no report counts until the next `hello`: the server that sent them is being replaced. */
export async function forgetBoot(tx: Knex.Transaction, instanceId: string): Promise<void> {
  await ensureReportRow(tx, instanceId);
  await tx('instance_reports').where({ instance_id: instanceId }).update({ boot_nonce: null, sequence: null });
}

/** The row that heartbeats write into; one that is there stays as it is. */
export async function ensureReportRow(tx: Knex.Transaction, instanceId: string): Promise<void> {
  const present = await tx<InstanceReportRow>('instance_reports')
    .where({ instance_id: instanceId })
    .first('instance_id');
  if (present !== undefined) return;
  try {
    await tx('instance_reports').insert({ instance_id: instanceId });
  } catch (error) {
    if (!isDuplicate(error)) throw error;
  }
}
