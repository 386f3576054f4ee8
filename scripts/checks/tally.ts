/** What `turbo run --summarize` writes of a task. */
export interface TaskRun {
  /** `@trove/common#test`, `//#lint` */
  taskId: string;
  task: string;
  /** Absent where the task was not started. */
  execution?: { exitCode?: number | null };
}

/** A report of vitest's JSON reporter. */
export interface TestReport {
  testResults: {
    name: string;
    status: string;
    message?: string;
    assertionResults: { fullName: string; status: string; meta?: unknown }[];
  }[];
}

export interface Tally {
  passed: number;
  failed: number;
  /** Full names of tests that did not run. */
  skipped: string[];
  /** Full names of failed tests, files and checks. */
  failures: string[];
}

/**
 * Sums tests and checks. A test task counts by its report: each test, a file that could not be run as one failure, and a
 * task that failed without any failed test in its report (or without a report) as one. Another task counts as one.
 */
export function tally(runs: readonly TaskRun[], reportOf: (taskId: string) => TestReport | undefined): Tally {
  const total: Tally = { passed: 0, failed: 0, skipped: [], failures: [] };
  for (const run of runs) {
    const passed = run.execution?.exitCode === 0;
    const isTests = run.task === 'test' || run.task === 'checks';
    const report = isTests ? reportOf(run.taskId) : undefined;
    const failedBefore = total.failed;
    if (report) addReport(total, report);
    if (!passed && total.failed === failedBefore) addFailure(total, run.taskId);
    else if (passed && !isTests) total.passed += 1;
    else if (passed && !report) addFailure(total, `${run.taskId} left no report`);
  }
  return total;
}

function addReport(total: Tally, report: TestReport): void {
  for (const file of report.testResults) {
    const failures = file.assertionResults.filter(({ status }) => status === 'failed');
    for (const { fullName } of failures) addFailure(total, `${file.name}: ${fullName}`);
    if (file.status === 'failed' && failures.length === 0) addFailure(total, file.name);
    total.passed += file.assertionResults.filter(({ status }) => status === 'passed').length;
    for (const { fullName, status } of file.assertionResults) {
      if (status !== 'passed' && status !== 'failed') total.skipped.push(`${file.name}: ${fullName}`);
    }
  }
}

function addFailure(total: Tally, name: string): void {
  total.failed += 1;
  total.failures.push(name);
}

/** The line that a run ends with. */
export function tallyLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`;
}
