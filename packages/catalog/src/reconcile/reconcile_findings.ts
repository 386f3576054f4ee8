import type { Knex } from 'knex';
import { toBigint, toBigintOrNull } from '../bigint.ts';
import type { Catalog } from '../catalog.ts';
import { dbNow } from '../database_time.ts';
import type { DatabaseBigint, DeploymentRow, ReconcileFindingRow, ReconcilerRow } from '../tables.ts';
import { withTransaction } from '../transaction.ts';
import { type Difference, isReconcileKind, RECONCILE_KINDS } from './kinds.ts';

/** A difference as the table has it. Times are epoch microseconds of the database. */
export interface RecordedFinding extends Difference {
  readonly since: bigint;
  readonly approved: boolean;
  /** How often it was acted on; it stands all the same. */
  readonly tries: number;
  readonly triedAt: bigint | null;
}

/** Everything that there is to say about reconciling, without looking at the world. */
export interface ReconcileState {
  readonly now: bigint;
  readonly ranAt: bigint | null;
  readonly heldSince: bigint | null;
  /** When this catalog became a deployment. */
  readonly createdAt: bigint;
  /** The oldest first. */
  readonly findings: readonly RecordedFinding[];
}

const DETAIL_LENGTH = 255;

/**
 * Writes what differs now: what is new from now on, what is known stays as old as it is, what is no more goes. Where what is
 * outside was not `listed`, what is found there only is neither confirmed nor dropped. By the holder of the lease only.
 */
export async function recordDifferences(
  catalog: Catalog,
  differences: readonly Difference[],
  { listed }: { readonly listed: boolean } = { listed: true },
): Promise<ReconcileState> {
  return await withTransaction(catalog, async (tx) => {
    const known = await tx<ReconcileFindingRow>('reconcile_findings').select('kind', 'subject');
    const present = new Set(differences.map(nameOf));
    for (const { kind, subject } of known)
      if (!present.has(nameOf({ kind, subject })) && (listed || !isFoundOutside(kind)))
        await tx('reconcile_findings').where({ kind, subject }).delete();
    for (const { kind, subject, instanceId, detail } of differences) {
      const row = { instance_id: instanceId, detail: detail.slice(0, DETAIL_LENGTH) };
      await tx('reconcile_findings')
        .insert({ kind, subject, ...row, since: dbNow(tx), approved: 0 })
        .onConflict(['kind', 'subject'])
        .merge(row);
    }
    return await readReconcileState(tx);
  });
}

export async function readReconcileState(executor: Knex): Promise<ReconcileState> {
  const { now }: { now: DatabaseBigint } = await executor.select({ now: dbNow(executor) }).first();
  const state = await executor<ReconcilerRow>('reconciler').first('ran_at', 'held_since');
  const deployment = await executor<DeploymentRow>('deployment').first('created');
  const rows = await executor<ReconcileFindingRow>('reconcile_findings').orderBy(['since', 'kind', 'subject']).select();
  return {
    now: toBigint(now),
    ranAt: toBigintOrNull(state?.ran_at ?? null),
    heldSince: toBigintOrNull(state?.held_since ?? null),
    createdAt: toBigint(deployment?.created ?? 0),
    findings: rows.flatMap((row) => toFinding(row) ?? []),
  };
}

/** Says of a finding, before it is acted on, that it has had its turn. By the holder of the lease only. */
export async function recordTry(
  executor: Knex,
  { kind, subject }: Pick<Difference, 'kind' | 'subject'>,
): Promise<void> {
  await executor('reconcile_findings')
    .where({ kind, subject })
    .update({ tries: executor.raw('tries + 1'), tried_at: dbNow(executor) });
}

/** An operator has seen these, and nothing else: they are acted on at the next run, and deleting goes on. Returns how many. */
export async function approveFindings(catalog: Catalog, seen: readonly RecordedFinding[]): Promise<number> {
  return await withTransaction(catalog, async (tx) => {
    await tx('reconciler').where({ id: 1 }).update({ held_since: null });
    let approved = 0;
    for (const { kind, subject } of seen)
      approved += await tx('reconcile_findings').where({ kind, subject }).update({ approved: 1 });
    return approved;
  });
}

function toFinding(row: ReconcileFindingRow): RecordedFinding | undefined {
  const { kind, subject, instance_id, detail, since, approved, tries, tried_at } = row;
  if (!isReconcileKind(kind)) return undefined;
  const times = { since: toBigint(since), triedAt: toBigintOrNull(tried_at) };
  return { kind, subject, instanceId: instance_id, detail, approved: approved === 1, tries, ...times };
}

function isFoundOutside(kind: string): boolean {
  return isReconcileKind(kind) && RECONCILE_KINDS[kind].outside === 'listed';
}

function nameOf({ kind, subject }: { readonly kind: string; readonly subject: string }): string {
  return `${kind} ${subject}`;
}
