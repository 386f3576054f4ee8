import { expect, test } from 'vitest';
import { type TaskRun, type TestReport, tally, tallyLine } from './tally.ts';

function run(taskId: string, exitCode?: number): TaskRun {
  return { taskId, task: taskId.split('#')[1] ?? '', ...(exitCode === undefined ? {} : { execution: { exitCode } }) };
}

function report(...statuses: string[]): TestReport {
  const assertionResults = statuses.map((status, index) => ({ fullName: `test ${index}`, status }));
  const status = statuses.includes('failed') ? 'failed' : 'passed';
  return { testResults: [{ name: 'a.test.ts', status, assertionResults }] };
}

test('tests count one by one, checks as one each', () => {
  const total = tally([run('@trove/common#test', 0), run('//#lint', 0)], () => report('passed', 'passed'));
  expect(tallyLine(total)).toBe('3 passed, 0 failed');
});

test('a failed check, a task that never started and a failed test are failures', () => {
  const total = tally([run('@trove/common#test', 1), run('//#lint', 1), run('//#unused')], () =>
    report('passed', 'failed'),
  );
  expect(tallyLine(total)).toBe('1 passed, 3 failed');
  expect(total.failures).toEqual(['a.test.ts: test 1', '//#lint', '//#unused']);
});

test('a file that could not be run is a failure', () => {
  const broken: TestReport = { testResults: [{ name: 'b.test.ts', status: 'failed', assertionResults: [] }] };
  expect(tallyLine(tally([run('x#test', 1)], () => broken))).toBe('0 passed, 1 failed');
});

test('a task that fails although its tests pass is a failure', () => {
  expect(tallyLine(tally([run('x#test', 1)], () => report('passed')))).toBe('1 passed, 1 failed');
});

test('a test task without a report is a failure, however it ended', () => {
  expect(tallyLine(tally([run('x#test', 0), run('y#test', 1)], () => undefined))).toBe('0 passed, 2 failed');
});

test('a test that did not run is named', () => {
  const total = tally([run('x#test', 0)], () => report('passed', 'skipped', 'todo'));
  expect(tallyLine(total)).toBe('1 passed, 0 failed, 2 skipped');
  expect(total.skipped).toEqual(['a.test.ts: test 1', 'a.test.ts: test 2']);
});
