import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, systemClock, TroveError, toTroveError } from '@trove/common';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Fence } from './fence.ts';
import { GuestFiles } from './guest_files.ts';
import { OnceJournal } from './once_journal.ts';

let folder: string;
let said: string[];
beforeEach(() => {
  said = [];
  folder = mkdtempSync(join(tmpdir(), 'journal-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const logger = createLogger({ service: 'test', stream: { write: (line: string) => said.push(line) } });
const open = (clock = systemClock) => new OnceJournal(new GuestFiles(folder, null), clock, logger);
const told = () =>
  said.map((line) => JSON.parse(line)).map((line) => `${line.message} ${line.method} ${line.idempotency_key}`);
const never = () => Promise.reject(new Error('must not run'));

test('work runs once per key, also for a journal opened anew, and two at a time share one run', async () => {
  const journal = open();
  let runs = 0;
  const work = { keepsResult: true, run: () => Promise.resolve(++runs), recover: never };
  expect(await Promise.all([journal.once('k', 'm', work), journal.once('k', 'm', work)])).toEqual([1, 1]);
  expect(await open().once('k', 'm', work)).toBe(1);
  expect(await open().once('other', 'm', work)).toBe(2);
  expect(told()).toEqual(['request begun m k', 'request begun m other']);
});

test('work that a crash interrupted is recovered with its note, not run again', async () => {
  const interrupted = open();
  const crash = {
    keepsResult: true,
    run: (note: (text: string) => void) => (note('before'), new Promise<never>(() => undefined)),
    recover: never,
  };
  void interrupted.once('k', 'm', crash);
  expect(interrupted.outcome('k')).toEqual({ state: 'started' });
  const next = open();
  expect(next.outcome('k')).toEqual({ state: 'unknown' });
  const recover = (note: string | undefined) => Promise.resolve(`recovered ${note}`);
  expect(await next.once('k', 'm', { keepsResult: true, run: never, recover })).toBe('recovered before');
  expect(told()).toEqual(['request begun m k']);
  expect(next.outcome('k')).toEqual({ state: 'done' });
});

test('work whose end cannot be written down, the disk being full, is recovered, not run again', async () => {
  const files = new GuestFiles(folder, null);
  const { write } = files;
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  files.write = (name, text) => {
    if (text.includes('"done"')) throw full;
    write.call(files, name, text);
  };
  const journal = new OnceJournal(files, systemClock, logger);
  const work = {
    keepsResult: true,
    run: async (note: (text: string) => void) => {
      note('before');
      return 1;
    },
    recover: never,
  };
  const rejected = await journal.once('k', 'm', work).catch((error: unknown) => error);
  expect(toTroveError(rejected)).toMatchObject({ code: 'INTERNAL', retryable: true });
  expect(journal.outcome('k')).toEqual({ state: 'unknown' });
  files.write = write;
  const recover = async (note: string | undefined) => `recovered ${note}`;
  expect(await journal.once('k', 'm', { keepsResult: true, run: never, recover })).toBe('recovered before');
  expect(journal.outcome('k')).toEqual({ state: 'done' });
});

test('a lasting failure stays the answer; one that may pass lets the same key try again', async () => {
  const journal = open();
  const fail = (retryable: boolean) => ({
    keepsResult: true,
    run: () => Promise.reject(new TroveError('GUEST_ERROR', 'refused', { retryable })),
    recover: never,
  });
  await expect(journal.once('lasting', 'm', fail(false))).rejects.toMatchObject({ code: 'GUEST_ERROR' });
  await expect(open().once('lasting', 'm', { keepsResult: true, run: never, recover: never })).rejects.toThrow(
    'refused',
  );
  expect(journal.outcome('lasting')).toEqual({ state: 'failed', error: { code: 'GUEST_ERROR', message: 'refused' } });
  await expect(journal.once('passing', 'm', fail(true))).rejects.toThrow('refused');
  expect(journal.outcome('passing')).toEqual({ state: 'unknown' });
  expect(
    await journal.once('passing', 'm', { keepsResult: true, run: () => Promise.resolve('now'), recover: never }),
  ).toBe('now');
  expect(told().slice(1)).toEqual([
    'request begun m passing',
    'request forgotten m passing',
    'request begun m passing',
  ]);
});

test('a result that holds a secret is not written down, and told to nobody twice', async () => {
  const work = { keepsResult: false, run: () => Promise.resolve('hunter2'), recover: never };
  expect(await open().once('k', 'm', work)).toBe('hunter2');
  await expect(open().once('k', 'm', work)).rejects.toMatchObject({ code: 'ALREADY_DONE' });
  const kept = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  expect(kept.join()).not.toContain('hunter2');
});

test('what is older than any task is forgotten', async () => {
  await open().once('k', 'm', { keepsResult: true, run: () => Promise.resolve(1), recover: never });
  const later = { ...systemClock, now: () => Date.now() + 8 * 24 * 3600 * 1000 };
  open(later);
  expect(readdirSync(folder)).toEqual([]);
});

test('the highest fence is kept on the volume; an equal one passes, an older one does not', () => {
  const fence = new Fence(new GuestFiles(folder, null));
  for (const passes of [null, 3n, 3n, 5n]) fence.pass(passes);
  const next = new Fence(new GuestFiles(folder, null));
  expect(() => next.pass(4n)).toThrow('taken over');
  next.pass(5n);
});
