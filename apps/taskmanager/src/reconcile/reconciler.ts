import {
  compare,
  endReconcilerTurn,
  holdReconciler,
  type RamOf,
  type ReconcileState,
  type RecordedFinding,
  readFacts,
  recordDifferences,
  renewReconcilerTurn,
  takeReconcilerTurn,
} from '@trove/catalog';
import type { Logger, Metrics } from '@trove/common';
import { COMPUTE_TIMEOUT_MS, type TaskTools } from '../tasks/shared/tools.ts';
import { type ActDeps, type ActOutcome, actOn } from './act.ts';
import { planRun, type ReconcileLimits } from './plan.ts';

/** Longer than any one act, and renewed before each. */
const LEASE_MS = 2 * COMPUTE_TIMEOUT_MS;
/** Taskmanagers take their turns at different times; together they are not to look more often than one would. */
const SOONEST = 0.75;

export interface ReconcilerDeps extends Pick<TaskTools, 'catalog' | 'compute' | 'deploymentId'> {
  /** Unique per process. */
  readonly owner: string;
  readonly everyMs: number;
  readonly limits: ReconcileLimits;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * One turn: compares catalog, compute, keys and quota, writes down what differs, and acts on what has stood for the grace time.
 * One taskmanager at a time does it; one that loses its lease in the middle stops before its next act.
 */
export function createReconciler(deps: ReconcilerDeps): (signal: AbortSignal) => Promise<void> {
  const { catalog, owner, everyMs, logger } = deps;
  let lastRun = 0n;

  return async (signal) => {
    const turn = await takeReconcilerTurn(catalog, { owner, leaseMs: LEASE_MS, everyMs: everyMs * SOONEST });
    if (turn === undefined) return;
    let done = false;
    try {
      if (turn.run <= lastRun) {
        logger.error('the catalog was restored: nothing is removed before trove-manage reconcile --apply', {
          run: turn.run.toString(),
          before: lastRun.toString(),
        });
        await holdReconciler(catalog.knex);
      }
      lastRun = turn.run;
      await reconcileOnce(deps, signal);
      done = true;
    } finally {
      await endReconcilerTurn(catalog.knex, { owner, done });
    }
  };
}

async function reconcileOnce(deps: ReconcilerDeps, signal: AbortSignal): Promise<void> {
  const { catalog, compute, logger, metrics, owner, limits } = deps;
  const isMine = (): Promise<boolean> => renewReconcilerTurn(catalog.knex, { owner, leaseMs: LEASE_MS });
  const before = await readFacts(catalog, { tokens: [], instanceIds: [] });
  const things = await compute.listOwned(await deps.deploymentId());
  const after = await readFacts(catalog, {
    tokens: things.map((thing) => thing.clientToken),
    instanceIds: things.map((thing) => thing.instanceId),
  });
  const ramOf = await flavorsOf(deps);
  if (!(await isMine())) return;
  const state = await recordDifferences(catalog, compare({ before, things, after }, ramOf));
  const { acts, held } = planRun(state, limits);
  if (held) logger.warn('nothing is removed: was the catalog restored?', heldFields(state));
  const filed = new Set<string | null>();
  for (const finding of acts) {
    if (signal.aborted || !(await isMine())) return;
    if (filed.has(finding.instanceId)) continue;
    const within = AbortSignal.any([signal, AbortSignal.timeout(COMPUTE_TIMEOUT_MS)]);
    const outcome = await actAndSay({ ...deps, ramOf, acts, signal: within }, finding);
    if (outcome === 'filed') filed.add(finding.instanceId);
  }
  metrics.count('trove_reconcile_runs_total', 'Comparisons of the catalog with the world that came to their end.', {});
}

/** One line per act, and one act that fails stops no other. */
async function actAndSay(
  deps: ActDeps & Pick<ReconcilerDeps, 'logger' | 'metrics'>,
  finding: RecordedFinding,
): Promise<ActOutcome | 'failed'> {
  const { logger, metrics } = deps;
  const { kind, subject, instanceId, detail, approved } = finding;
  const fields = { kind, subject, instance_id: instanceId, detail, approved };
  let outcome: ActOutcome | 'failed' = 'failed';
  try {
    outcome = await actOn(deps, finding);
    logger.info('reconciled', { ...fields, outcome });
  } catch (error) {
    logger.warn('a difference could not be reconciled', { ...fields, error });
  }
  metrics.count('trove_reconcile_actions_total', 'What was done about differences, by kind and outcome.', {
    kind,
    outcome,
  });
  return outcome;
}

async function flavorsOf({ compute }: ReconcilerDeps): Promise<RamOf> {
  const ram = new Map((await compute.flavors()).map((flavor) => [flavor.id, flavor.ram]));
  return (flavorId) => ram.get(flavorId);
}

function heldFields({ findings, heldSince }: ReconcileState): Record<string, unknown> {
  return { unheard: findings.filter(({ kind }) => kind === 'unheard').length, noticed: heldSince !== null };
}
