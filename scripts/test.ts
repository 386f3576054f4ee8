// `npm test`: servers once, then all checks and tests through turbo, then one line that says how many passed and failed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { provideServers, type ServerUrls } from '../packages/testkit/src/index.ts';
import { type TaskRun, type TestReport, tally, tallyLine } from './checks/tally.ts';

const root = join(import.meta.dirname, '..');
const reports = join(root, '.test-reports');
const TASKS = ['typecheck', 'lint', 'format', 'unused', 'boundaries', 'checks', 'test'];

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
  if (!interrupted.signal.aborted) await runTurbo(servers.urls);
} finally {
  await servers.stop();
}
process.exitCode = interrupted.signal.aborted ? 130 : conclude();

/** Runs every task, also after one has failed. Whether it passed is read from the summary that turbo writes. */
async function runTurbo(urls: ServerUrls): Promise<void> {
  const flags = ['--concurrency=2', '--continue=always', '--summarize', '--ui=stream', '--log-order=grouped'];
  const child = spawn('turbo', ['run', ...TASKS, ...flags], {
    cwd: root,
    env: { ...process.env, ...urls, TURBO_TELEMETRY_DISABLED: '1' },
    stdio: 'inherit',
  });
  interrupted.signal.addEventListener('abort', () => child.kill('SIGTERM'));
  await once(child, 'exit');
}

function conclude(): number {
  const summary = readSummary();
  if (!summary) {
    console.log('turbo left no summary of its run\n0 passed, 1 failed');
    return 1;
  }
  const total = tally(summary.tasks, (taskId) =>
    readReport(summary.tasks.find((run) => run.taskId === taskId)?.directory),
  );
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

function readSummary(): RunSummary | undefined {
  const written = summaryFiles().filter((file) => !before.includes(file));
  const newest = written.toSorted((a, b) => modified(a) - modified(b)).at(-1);
  return newest === undefined ? undefined : (JSON.parse(readFileSync(join(root, newest), 'utf8')) as RunSummary);
}

function modified(file: string): number {
  return statSync(join(root, file)).mtimeMs;
}

/** The root's tests report as `scripts`, a workspace's under the name of its folder. */
function readReport(directory: string | undefined): TestReport | undefined {
  const file = join(reports, `${directory ? basename(directory) : 'scripts'}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as TestReport) : undefined;
}
