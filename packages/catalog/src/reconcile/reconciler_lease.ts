import type { Knex } from 'knex';
import { toBigint } from '../bigint.ts';
import { type Catalog } from '../catalog.ts';
import { dbNow } from '../database_time.ts';
import type { ReconcilerRow } from '../tables.ts';
import { withTransaction } from '../transaction.ts';

export interface ReconcilerTurn {
  readonly owner: string;
  readonly leaseMs: number;
  /** Since the last run ended, whoever made it. */
  readonly everyMs: number;
}

/** One run; `run` counts them all. */
export interface ReconcilerRun {
  readonly run: bigint;
}

/** Takes the one lease where nobody has it and the last run is long enough ago; the affected row decides. */
export async function takeReconcilerTurn(catalog: Catalog, turn: ReconcilerTurn): Promise<ReconcilerRun | undefined> {
  return await withTransaction(catalog, async (tx) => {
    const now = dbNow(tx);
    const taken = await tx('reconciler')
      .where({ id: 1 })
      .andWhereRaw('(lease_until IS NULL OR lease_until < ?)', [now])
      .andWhereRaw('(ran_at IS NULL OR ran_at <= ? - ?)', [now, turn.everyMs * 1000])
      .update({
        lease_owner: turn.owner,
        lease_until: tx.raw('? + ?', [now, turn.leaseMs * 1000]),
        run: tx.raw('run + 1'),
      });
    if (taken === 0) return undefined;
    const row = await tx<ReconcilerRow>('reconciler').first('run');
    return { run: toBigint(row?.run ?? 0) };
  });
}

/** False where the lease is another's by now, or nobody's: whoever had it stops. */
export async function renewReconcilerTurn(
  executor: Knex,
  { owner, leaseMs }: Pick<ReconcilerTurn, 'owner' | 'leaseMs'>,
): Promise<boolean> {
  const now = dbNow(executor);
  const renewed = await executor('reconciler')
    .where({ id: 1, lease_owner: owner })
    .andWhereRaw('lease_until >= ?', [now])
    .update({ lease_until: executor.raw('? + ?', [now, leaseMs * 1000]) });
  return renewed === 1;
}

/** The lease is given back. `done`: the next run is due after the interval; one that broke off may be made again at once. */
export async function endReconcilerTurn(
  executor: Knex,
  { owner, done }: { readonly owner: string; readonly done: boolean },
): Promise<void> {
  await executor('reconciler')
    .where({ id: 1, lease_owner: owner })
    .update({ lease_owner: null, lease_until: null, ...(done && { ran_at: dbNow(executor) }) });
}

/** From here on nothing is deleted until an operator has looked. */
export async function holdReconciler(executor: Knex): Promise<void> {
  await executor('reconciler')
    .where({ id: 1 })
    .whereNull('held_since')
    .update({ held_since: dbNow(executor) });
}
