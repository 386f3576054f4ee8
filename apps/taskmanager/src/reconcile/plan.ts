import { RECONCILE_KINDS, type ReconcileState, type RecordedFinding } from '@trove/catalog';

export interface ReconcileLimits {
  readonly graceMs: number;
  /** Of repairs and of removals each: one kind that fails in every run keeps none of the other waiting. */
  readonly maxActions: number;
  /** Only what an operator has approved is acted on. */
  readonly dryRun: boolean;
}

export interface Plan {
  /**
   * In this order: what shows wrong first, then what is too much; of each, who has waited longest since it was found, or
   * since it last had its turn: one that fails each time keeps none of the others waiting.
   */
  readonly acts: readonly RecordedFinding[];
  /** Deleting waits for `trove-manage reconcile --apply`: the catalog is not the one that made all this. */
  readonly held: boolean;
}

/** Which findings are acted on in this run; where nobody could list what is outside, those for which that is not needed. */
export function planRun(
  state: ReconcileState,
  limits: ReconcileLimits,
  { listed }: { readonly listed: boolean },
): Plan {
  const grace = BigInt(limits.graceMs) * 1000n;
  const held = state.heldSince !== null || state.findings.some(({ kind, approved }) => kind === 'unheard' && !approved);
  const young = state.now - state.createdAt < grace;
  const isRipe = ({ kind, since, approved }: RecordedFinding): boolean => {
    if (!listed && RECONCILE_KINDS[kind].outside !== null) return false;
    if (approved) return true;
    if (limits.dryRun || RECONCILE_KINDS[kind].asks || state.now - since < grace) return false;
    return !RECONCILE_KINDS[kind].deletes || !(held || young);
  };
  const ripe = state.findings.filter(isRipe).toSorted(longestWaiting);
  const [removals, repairs] = [ripe.filter(deletes), ripe.filter((finding) => !deletes(finding))];
  const share = (findings: readonly RecordedFinding[]) => findings.slice(0, limits.maxActions);
  return { acts: [...share(repairs), ...share(removals)], held };
}

function longestWaiting(one: RecordedFinding, other: RecordedFinding): number {
  const [since, otherSince] = [one.triedAt ?? one.since, other.triedAt ?? other.since];
  return since < otherSince ? -1 : Number(since > otherSince);
}

function deletes({ kind }: RecordedFinding): boolean {
  return RECONCILE_KINDS[kind].deletes;
}
