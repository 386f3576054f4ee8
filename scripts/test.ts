// `npm test`: servers once, then all checks and tests through turbo, then one line that says how many passed and failed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { provideServers, type ServerUrls } from '../packages/testkit/src/index.ts';
import { type TaskRun, type TestReport, tally, tallyLine } from './checks/tally.ts';

const root = join(import.meta.dirname, '..');
const reports = join(root, '.test-reports');
const CHECKS = ['typecheck', 'lint', 'format', 'unused', 'boundaries', 'checks'];
/** As long as all others together: side by side and first, since whichever comes last would have the machine to itself. */
const LONGEST = ['@trove/standalone', '@trove/taskmanager'];
const RUNS = [
  ['test', ...LONGEST.map((name) => `--filter=${name}`)],
  ['test', ...LONGEST.map((name) => `--filter=!${name}`)],
  CHECKS,
];

interface RunSummary {
  tasks: (TaskRun & { directory?: string })[];
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interrupted.abort());

rmSync(reports, { recursive: true, force: true });
const before = summaryFiles();
const servers = await provideServers(process.env, (line) => console.log(line));
for (const line of servers.descriptions) console.log(line);
try {
  for (const run of RUNS) if (!interrupted.signal.aborted) await runTurbo(run, servers.urls);
} finally {
  await servers.stop();
}
process.exitCode = interrupted.signal.aborted ? 130 : conclude();

/** Runs every task, also after one has failed. Whether it passed is read from the summary that turbo writes. */
async function runTurbo(run: readonly string[], urls: ServerUrls): Promise<void> {
  const flags = ['--concurrency=2', '--continue=always', '--summarize', '--ui=stream', '--log-order=grouped'];
  const child = spawn('turbo', ['run', ...run, ...flags], {
    cwd: root,
    env: { ...process.env, ...urls, TURBO_TELEMETRY_DISABLED: '1' },
    stdio: 'inherit',
  });
  interrupted.signal.addEventListener('abort', () => child.kill('SIGTERM'));
  await once(child, 'exit');
}

function conclude(): number {
  const summaries = readSummaries();
  if (summaries.length < RUNS.length) {
    console.log('turbo left no summary of a run\n0 passed, 1 failed');
    return 1;
  }
  const tasks = summaries.flatMap((summary) => summary.tasks);
  const total = tally(tasks, (taskId) => readReport(tasks.find((run) => run.taskId === taskId)?.directory));
  console.log('');
  for (const name of total.skipped) console.log(`not run: ${name}`);
  for (const file of globSync('*.failures.txt', { cwd: reports }))
    process.stdout.write(readFileSync(join(reports, file)));
  for (const name of total.failures) console.log(`failed: ${name}`);
  console.log(tallyLine(total));
  return total.failed > 0 || total.passed === 0 ? 1 : 0;
}

function summaryFiles(): string[] {
  return globSync('.turbo/runs/*.json', { cwd: root });
}

function readSummaries(): readonly RunSummary[] {
  const written = summaryFiles().filter((file) => !before.includes(file));
  return written.map((file) => JSON.parse(readFileSync(join(root, file), 'utf8')) as RunSummary);
}

/** The root's tests report as `scripts`, a workspace's under the name of its folder. */
function readReport(directory: string | undefined): TestReport | undefined {
  const file = join(reports, `${directory ? basename(directory) : 'scripts'}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as TestReport) : undefined;
}
