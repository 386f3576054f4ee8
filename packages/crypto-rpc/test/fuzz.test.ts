import { expect, test } from 'vitest';
import { fuzz, readUnaltered } from './fuzz.ts';

test('of 20,000 altered messages none opens, and none does more than be refused', () => {
  const report = fuzz(20_000, 1);
  expect([report.accepted, report.crashes]).toEqual([0, []]);
  expect(report.refused).toBeGreaterThan(10_000);
});

test('what the fuzzer alters is read where it does not', () => {
  const { read, of } = readUnaltered();
  expect(read).toBe(of);
});
