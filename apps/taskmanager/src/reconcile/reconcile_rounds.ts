import { randomBytes } from 'node:crypto';
import { type Catalog, RECONCILE_KIND_NAMES, readReconcileState } from '@trove/catalog';
import type { Metrics } from '@trove/common';
import type { TaskmanagerDeps } from '../deps.ts';
import { createRound, type Round } from '../rounds/round.ts';
import type { TaskTools } from '../tasks/shared/tools.ts';
import { createReconciler } from './reconciler.ts';

const MICROS_PER_SECOND = 1_000_000;

/** The reconciler as a taskmanager's round; none where it never compares. */
export function reconcileRounds(
  tools: TaskTools,
  deps: Pick<TaskmanagerDeps, 'reconcile' | 'settings' | 'logger'> & { readonly metrics: Metrics },
): readonly Round[] {
  const { reconcile, logger, metrics } = deps;
  if (reconcile === undefined || reconcile.reconcile_interval === 0) return [];
  showFindings(metrics, tools.catalog);
  const everyMs = reconcile.reconcile_interval * 1000;
  const turn = createReconciler({
    ...tools,
    ...{ everyMs, logger, metrics },
    owner: `${deps.settings.host}/${process.pid}/${randomBytes(4).toString('hex')}`,
    limits: {
      graceMs: reconcile.reconcile_grace * 1000,
      maxActions: reconcile.reconcile_max_actions,
      dryRun: reconcile.reconcile_dry_run,
    },
  });
  return [createRound({ name: 'reconcile', everyMs, turn, clock: tools.clock, logger })];
}

/** From the catalog, so that each taskmanager shows the same, whoever looked. */
function showFindings(metrics: Metrics, { knex }: Pick<Catalog, 'knex'>): void {
  metrics.gauge('trove_reconcile_findings', 'Differences between catalog and world, by kind.', ['kind'], async () => {
    const { findings } = await readReconcileState(knex);
    return RECONCILE_KIND_NAMES.map((kind) => ({
      labels: { kind },
      value: findings.filter((finding) => finding.kind === kind).length,
    }));
  });
  metrics.gauge('trove_reconcile_last_run_seconds', 'When the last comparison ended, in Unix time.', [], async () => {
    const { ranAt } = await readReconcileState(knex);
    return [{ labels: {}, value: ranAt === null ? 0 : Number(ranAt) / MICROS_PER_SECOND }];
  });
}
