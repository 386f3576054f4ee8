import {
  approveFindings,
  RECONCILE_KINDS,
  type ReconcileState,
  type RecordedFinding,
  readReconcileState,
} from '@trove/catalog';
import type { Command } from 'commander';
import { renderTable } from '../../table.ts';
import type { ManageSession } from '../session.ts';

const LATE_MICROS = 600_000_000n;

/** `reconcile`. */
export function addReconcile(program: Command, session: ManageSession): void {
  program
    .command('reconcile')
    .description('Show what differs between catalog and world, and what the taskmanagers would do about it.')
    .option('--apply', 'have them act at their next run on what is shown, whatever its age', false)
    .addHelpText('after', HELP)
    .action(({ apply }: { apply: boolean }) =>
      session.withCurrentCatalog(async (catalog) => {
        const state = await readReconcileState(catalog.knex);
        session.print(`${whenCompared(state)}\n`);
        if (state.findings.length > 0) session.print(tableOf(state));
        if (!apply) return;
        const approved = await approveFindings(catalog, state.findings);
        session.print(`${approved} approved: a taskmanager looks at each again at its next run, and acts.\n`);
      }),
    );
}

const HELP = `
Taskmanagers compare every reconcile_interval, and act by themselves on what has stood for reconcile_grace. Nothing is removed
by itself from a catalog that is younger than that, or that was restored: then look at the list, and --apply.`;

function whenCompared({ ranAt, now, findings }: ReconcileState): string {
  if (ranAt === null) return 'No taskmanager has compared anything yet.';
  const late = now - ranAt > LATE_MICROS ? ' No taskmanager has compared since: the list may be old.' : '';
  const found = findings.length === 0 ? 'Nothing differs.' : `Differences: ${findings.length}.`;
  return `Compared at ${timeOf(ranAt)}. ${found}${late}`;
}

function tableOf(state: ReconcileState): string {
  return renderTable(
    ['Kind', 'What', 'Instance', 'Why', 'Since', 'Then'],
    state.findings.map((finding) => [
      finding.kind,
      finding.subject,
      finding.instanceId ?? '-',
      finding.detail,
      timeOf(finding.since),
      nextOf(finding, state) + triedOf(finding),
    ]),
  );
}

/** What the taskmanagers do about it, and what they wait for. */
function nextOf({ kind, approved }: RecordedFinding, { heldSince, findings }: ReconcileState): string {
  const { does, deletes, asks } = RECONCILE_KINDS[kind];
  if (approved) return `${does} at the next run`;
  const held = heldSince !== null || findings.some((other) => other.kind === 'unheard' && !other.approved);
  if (asks || (deletes && held)) return `${does}, after --apply`;
  return `${does}, after reconcile_grace`;
}

/** It stands in vain so far; the log says why. */
function triedOf({ tries, triedAt }: RecordedFinding): string {
  return triedAt === null ? '' : `; tried ${tries} times, last at ${timeOf(triedAt)}`;
}

function timeOf(micros: bigint): string {
  return new Date(Number(micros / 1000n)).toISOString();
}
