import { checkInvariants, type InvariantDeps, type InvariantReport } from '@trove/catalog';
import type { Command } from 'commander';
import { CliError, EXIT } from '../../exit.ts';
import type { ManageSession } from '../session.ts';

/** What the shell is told: 0 nothing found, 1 something, 2 it could not be checked. */
const FOUND = EXIT.refused;
const NOT_CHECKED = EXIT.usage;

/** `check`. */
export function addCheck(program: Command, session: ManageSession): void {
  program
    .command('check')
    .description('Check what must hold between catalog, compute, broker, keys and quota. Changes nothing.')
    .option('--json', 'print the report as JSON', false)
    .option('--logs <file...>', "also look for the deployment's secrets in these log files")
    .addHelpText('after', HELP)
    .action(async ({ json, logs = [] }: { json: boolean; logs?: string[] }) => {
      const report = await reportOf(session, logs);
      session.print(json ? `${JSON.stringify(report, null, 2)}\n` : textOf(report));
      if (report.findings > 0) throw new CliError(FOUND, `${report.findings} found`);
    });
}

const HELP = `
Give the taskmanager's files: they have the keys and the broker's management URL, and name the folder of local compute.
What a task is at work on is left out. What cannot be seen from here is said, and is not a finding.

Exit codes: 0 nothing found, 1 something found, 2 could not be checked`;

async function reportOf(session: ManageSession, files: readonly string[]): Promise<InvariantReport> {
  try {
    const { secrets, ...outside } = await session.outside();
    const effects = {
      notChecked: "what guests have done stands on their volumes, and is counted by the project's own tests",
    };
    return await session.withCurrentCatalog((catalog) =>
      checkInvariants({ catalog, ...outside, rings: ringsOf(session), logs: { files, secrets }, effects }),
    );
  } catch (error) {
    throw new CliError(NOT_CHECKED, `could not be checked: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function ringsOf(session: ManageSession): InvariantDeps['rings'] {
  try {
    return session.keyRings();
  } catch (error) {
    if (error instanceof CliError) return { notChecked: error.message };
    throw error;
  }
}

function textOf({ results }: InvariantReport): string {
  const lines = results.flatMap(({ invariant, title, findings, notChecked }) => [
    `${invariant.padEnd(4)}${verdictOf(findings.length, notChecked.length).padEnd(18)}${title}`,
    ...findings.flatMap(({ instanceId, what, since, todo }) => [
      `      ${instanceId === null ? '' : `${instanceId}: `}${what}${since === null ? '' : `, since ${new Date(since).toISOString()}`}`,
      `        ${todo}`,
    ]),
    ...notChecked.map((why) => `      not checked: ${why}`),
  ]);
  return `${lines.join('\n')}\n`;
}

function verdictOf(found: number, unchecked: number): string {
  if (found > 0) return `${found} found`;
  return unchecked > 0 ? 'not all checked' : 'holds';
}
