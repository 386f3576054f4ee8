import { checkInvariants, effectsInLogs, type InvariantDeps, type InvariantReport } from '@trove/catalog';
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
    .option(
      '--logs <file...>',
      "also look in these log files for the deployment's secrets and, in guests' logs, what was done twice",
    )
    .option('--tap <seconds>', "also read along on the bus for so long, with RabbitMQ's tracing", secondsOf)
    .addHelpText('after', HELP)
    .action(async ({ json, logs = [], tap }: { json: boolean; logs?: string[]; tap?: number }) => {
      const report = await reportOf(session, logs, tap);
      session.print(json ? `${JSON.stringify(report, null, 2)}\n` : textOf(report));
      if (report.findings > 0) throw new CliError(FOUND, `${report.findings} found`);
    });
}

const HELP = `
Give the taskmanager's files: they have the keys and the broker's management URL, and name the folder of local compute.
What a task is at work on is left out. What cannot be seen from here is said, and is not a finding.
--tap turns tracing on for the bus's vhosts, and off again where it was off, after Ctrl-C too. The account in the management
URL reads the copies, so it needs all rights there. Nothing of what messages say is printed or kept.

Exit codes: 0 nothing found, 1 something found, 2 could not be checked`;

async function reportOf(
  session: ManageSession,
  files: readonly string[],
  tapSeconds: number | undefined,
): Promise<InvariantReport> {
  try {
    const { secrets, tap, ...outside } = await session.outside();
    const logs = { files, secrets };
    const effects: InvariantDeps['effects'] =
      files.length > 0
        ? await effectsInLogs(files)
        : { notChecked: "what guests have done: give guests' logs with --logs" };
    const bus =
      tapSeconds === undefined ? { notChecked: 'the bus: give --tap SECONDS to read along' } : tap(tapSeconds);
    return await session.withCurrentCatalog((catalog) =>
      checkInvariants({ catalog, ...outside, bus, rings: ringsOf(session), logs, effects }),
    );
  } catch (error) {
    throw new CliError(NOT_CHECKED, `could not be checked: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const LONGEST_TAP_S = 3600;

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (/^[0-9]+$/.test(text) && seconds >= 1 && seconds <= LONGEST_TAP_S) return seconds;
  throw new CliError(EXIT.usage, `--tap takes a whole number of seconds, 1 to ${LONGEST_TAP_S}, not '${text}'.`);
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
  const lines = results.flatMap(({ invariant, title, findings, notChecked, notes = [] }) => [
    `${invariant.padEnd(4)}${verdictOf(findings.length, notChecked.length).padEnd(18)}${title}`,
    ...findings.flatMap(({ instanceId, what, since, todo }) => [
      `      ${instanceId === null ? '' : `${instanceId}: `}${what}${since === null ? '' : `, since ${new Date(since).toISOString()}`}`,
      `        ${todo}`,
    ]),
    ...notes.map((note) => `      ${note}`),
    ...notChecked.map((why) => `      not checked: ${why}`),
  ]);
  return `${lines.join('\n')}\n`;
}

function verdictOf(found: number, unchecked: number): string {
  if (found > 0) return `${found} found`;
  return unchecked > 0 ? 'not all checked' : 'holds';
}
