import { basename, join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { failureReporter } from './scripts/checks/failure_reporter.ts';

const name = process.cwd() === import.meta.dirname ? 'scripts' : basename(process.cwd());
const reportFile = (ending: string): string => join(import.meta.dirname, '.test-reports', `${name}.${ending}`);

/** One for all packages: each runs in its own folder and leaves a report that scripts/test.ts sums up. */
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'scripts/**/*.test.ts'],
    passWithNoTests: true,
    // Long enough for a machine that is busy with much else: a test that hangs is as red after two minutes.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 15_000 } },
    maxWorkers: 2,
    reporters: ['default', 'json', failureReporter(reportFile('failures.txt'))],
    outputFile: { json: reportFile('json') },
  },
});
