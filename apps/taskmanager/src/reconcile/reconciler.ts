import {
  compare,
  endReconcilerTurn,
  holdReconciler,
  markedAccounts,
  type RamOf,
  type Readings,
  type ReconcileState,
  type RecordedFinding,
  readFacts,
  recordDifferences,
  recordTry,
  takeReconcilerTurn,
} from '@trove/catalog';
import type { Logger, Metrics } from '@trove/common';
import { COMPUTE_TIMEOUT_MS, type TaskTools } from '../tasks/shared/tools.ts';
import { type ActDeps, type ActOutcome, actOn } from './act.ts';
import { planRun, type ReconcileLimits } from './plan.ts';
import { keepTurnLease, LEASE_MS, LeaseLost, type TurnLease } from './turn_lease.ts';

/** Taskmanagers take their turns at different times; together they are not to look more often than one would. */
const SOONEST = 0.75;

export interface ReconcilerDeps extends Pick<TaskTools, 'catalog' | 'compute' | 'accounts' | 'clock' | 'deploymentId'> {
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
  const { catalog, owner, everyMs, clock, logger } = deps;
  let lastRun = 0n;

  return async (signal) => {
    const askedAt = clock.monotonic();
    const turn = await takeReconcilerTurn(catalog, { owner, leaseMs: LEASE_MS, everyMs: everyMs * SOONEST });
    if (turn === undefined) return;
    const lease = keepTurnLease(deps, { askedAt, signal });
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
      done = await reconcileOnce(deps, lease, signal);
    } catch (error) {
      if (!(error instanceof LeaseLost)) throw error;
      logger.warn('the lease for reconciling ran out: this run ends here', { owner, lease_ms: LEASE_MS });
    } finally {
      lease.stop();
      await endReconcilerTurn(catalog.knex, { owner, done });
    }
  };
}

/** False where it broke off or has not seen everything: then it counts as no comparison, and the next is due at once. */
async function reconcileOnce(deps: ReconcilerDeps, lease: TurnLease, signal: AbortSignal): Promise<boolean> {
  const { catalog, logger, metrics, limits } = deps;
  const { readings, ramOf } = await readBoth(deps, lease);
  const listed = readings.things !== undefined;
  const state = await recordDifferences(catalog, compare(readings, ramOf), { listed });
  const { acts, held } = planRun(state, limits, { listed });
  if (held) logger.warn('nothing is removed: was the catalog restored?', heldFields(state));
  const filed = new Set<string | null>();
  for (const finding of acts) {
    if (signal.aborted) return false;
    await lease.renew();
    if (filed.has(finding.instanceId)) continue;
    await recordTry(catalog.knex, finding);
    const within = AbortSignal.any([lease.signal, AbortSignal.timeout(COMPUTE_TIMEOUT_MS)]);
    const outcome = await actAndSay({ ...deps, things: readings.things, ramOf, acts, signal: within }, finding);
    if (outcome === 'filed') filed.add(finding.instanceId);
  }
  if (!listed) return false;
  metrics.count('trove_reconcile_runs_total', 'Comparisons of the catalog with the world that came to their end.', {});
  return true;
}

/** Catalog and world, however long either takes; the lease is asked for again after each look. */
async function readBoth(
  deps: ReconcilerDeps,
  lease: TurnLease,
): Promise<{ readonly readings: Readings; readonly ramOf: RamOf }> {
  const { catalog } = deps;
  const look = async <T>(work: Promise<T>): Promise<T> => {
    const seen = await lease.within(work);
    await lease.renew();
    return seen;
  };
  const before = await look(readFacts(catalog, { tokens: [], instanceIds: [] }));
  const things = await look(listThings(deps));
  const asked = {
    tokens: (things ?? []).map((thing) => thing.clientToken),
    instanceIds: (things ?? []).map((thing) => thing.instanceId),
  };
  const after = await look(readFacts(catalog, asked));
  return { readings: { before, things, after }, ramOf: await look(flavorsOf(deps)) };
}

/** Undefined where compute or broker does not say all of it: one silent host keeps nothing waiting that is not outside. */
async function listThings({ compute, accounts, deploymentId, logger }: ReconcilerDeps): Promise<Readings['things']> {
  const id = await deploymentId();
  try {
    const marks = await accounts?.marks();
    return [...(await compute.listOwned(id)), ...(marks === undefined ? [] : markedAccounts(marks, id))];
  } catch (error) {
    logger.warn('what is outside cannot be listed: only the catalog is put right', { error });
    return undefined;
  }
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
