import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeFailure, failureReporter } from './failure_reporter.ts';

test('a failure is named, with what was said, the difference and the place, without colours', () => {
  const red = (text: string): string => `\u001B[31m${text}\u001B[39m`;
  const failure = { message: 'not equal', diff: `${red('- 1')}\n\n${red('+ 2')}`, stacks: [{ file: 'a.ts', line: 3 }] };
  expect(describeFailure('a: it', [failure])).toEqual([
    'failed: a: it',
    ...['not equal', '- 1', '+ 2', 'at a.ts:3'].map((line) => `    ${line}`),
  ]);
  expect(describeFailure('a: it', [failure], 1)).toEqual(['failed: a: it', '    not equal', '    (3 more lines)']);
});

test('failed tests and files that could not be run are left in the file, nothing where none failed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'failures-'));
  const file = join(folder, 'reports', 'x.failures.txt');
  const failed = { fullName: 'does it', result: () => ({ errors: [{ message: 'it did not' }] }) };
  const module = (errors: { message: string }[], tests: (typeof failed)[]) => ({
    ...{ relativeModuleId: 'src/x.test.ts', errors: () => errors, children: { allTests: () => tests } },
  });
  try {
    const reporter = failureReporter(file);
    reporter.onTestRunEnd([module([], [failed]), module([{ message: 'no such file' }], [])]);
    expect(readFileSync(file, 'utf8').split('\n')).toEqual([
      ...['failed: src/x.test.ts: does it', '    it did not', 'failed: src/x.test.ts', '    no such file', ''],
    ]);
    reporter.onTestRunEnd([module([], [])]);
    expect(readFileSync(file, 'utf8')).toBe('');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
