import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { identifyProcess, processCommandLine, processRuns, signalProcess, waitForExit } from './processes.ts';

test('a process is known by number and start, and not mistaken for another with its number', async () => {
  const child = spawn('sleep', ['60']);
  const identity = identifyProcess(child.pid ?? -1);
  if (identity === undefined) throw new Error('a running process has an identity');
  expect(processRuns(identity)).toBe(true);
  expect(processRuns({ ...identity, started: 'another start' })).toBe(false);
  expect(signalProcess({ ...identity, started: 'another start' }, 'SIGKILL')).toBe(false);
  expect(await waitForExit(identity, 30)).toBe(false);
  expect(signalProcess(identity, 'SIGTERM')).toBe(true);
  expect(await waitForExit(identity, 10_000)).toBe(true);
  expect(signalProcess(identity, 'SIGTERM')).toBe(false);
});

test('the command line of a process can be read, and is empty for none', () => {
  expect(processCommandLine(process.pid)).toContain('node');
  expect(processCommandLine(2 ** 22 + 1)).toBe('');
});
