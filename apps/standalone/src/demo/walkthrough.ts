import type { Outside } from './outside.ts';
import type { Finding, WalkthroughRow } from './row.ts';
import { clearCreate, databases, datastores, sealedCreate } from './rows/new_instances.ts';
import { clearControlPlane, migration, oldCatalog, oldGuests } from './rows/old_deployment.ts';
import { upgradeOrder, upgradeToSealed } from './rows/upgrades.ts';
import { adminSees, keysInTheCatalog, memberSees, tapSees } from './rows/who_sees_what.ts';
import { createStage } from './stage.ts';

/** The operator's walkthrough: how secure messaging comes into a running deployment. */
export const ROWS: readonly WalkthroughRow[] = [
  oldCatalog,
  oldGuests,
  migration,
  clearControlPlane,
  clearCreate,
  sealedCreate,
  databases,
  datastores,
  upgradeToSealed,
  upgradeOrder,
  keysInTheCatalog,
  adminSees,
  memberSees,
  tapSees,
];

export interface RowResult {
  readonly number: number;
  readonly asExpected: boolean;
  readonly findings: readonly Finding[];
}

export interface WalkthroughOptions {
  readonly outside: Outside;
  readonly print: (text: string) => void;
  /** Told before a row begins. */
  readonly onRow?: (number: number) => void;
  /** Go on after a difference; default false. */
  readonly goOn?: boolean;
}

/** Does row after row, telling what was expected and what was seen; ends at the first difference. */
export async function walk(options: WalkthroughOptions): Promise<readonly RowResult[]> {
  const stage = createStage(options.outside, options.print);
  const results: RowResult[] = [];
  for (const row of ROWS) {
    options.onRow?.(row.number);
    options.print(`\n== ${row.number}. ${row.title}\n`);
    const findings = await row.run(stage);
    for (const finding of findings) options.print(tell(finding));
    const asExpected = findings.every((finding) => finding.asExpected);
    results.push({ number: row.number, asExpected, findings });
    if (!asExpected && options.goOn !== true) break;
  }
  return results;
}

function tell(finding: Finding): string {
  return `  ${finding.asExpected ? 'as expected' : 'DIFFERENCE '}  expected: ${finding.expected}\n               seen:     ${finding.seen}\n`;
}

/** The last line, and whether all was as expected. */
export function summary(results: readonly RowResult[]): { text: string; ok: boolean } {
  const good = results.filter((result) => result.asExpected).length;
  const bad = results.find((result) => !result.asExpected);
  const title = ROWS.find((row) => row.number === bad?.number)?.title;
  const first = bad === undefined ? '' : `First difference at step ${bad.number}, ${title}.\n`;
  return { text: `\n${first}${good} of ${ROWS.length} steps as expected\n`, ok: good === ROWS.length };
}
