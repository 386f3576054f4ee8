import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { newUuid, randomFraction, randomText } from './ids.ts';

const LETTERS_AND_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const LENGTH = 32;
const KEYS = 40_000;

/** Pearson's statistic of how far the counts are from all being alike. */
function chiSquare(counts: ReadonlyMap<string, number>, cells: number): number {
  const values = [...counts.values()];
  const expected = values.reduce((sum, count) => sum + count, 0) / cells;
  const missing = (cells - counts.size) * expected;
  return values.reduce((sum, count) => sum + (count - expected) ** 2 / expected, missing);
}

function countOf(values: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** What a good source passes but once in 10^15 runs: 8 standard deviations, by Wilson and Hilferty. */
function bound(cells: number): number {
  const freedom = cells - 1;
  const spread = 2 / (9 * freedom);
  return freedom * (1 - spread + 8 * Math.sqrt(spread)) ** 3;
}

describe('the key generator', () => {
  const keys = Array.from({ length: KEYS }, () => randomText(LENGTH));
  const cells = LETTERS_AND_DIGITS.length;

  test('writes 32 letters and digits, and no key twice', () => {
    expect(keys.filter((key) => !/^[A-Za-z0-9]{32}$/.test(key))).toEqual([]);
    expect(new Set(keys).size).toBe(KEYS);
  });

  test('A29: gives every character alike, at every place', () => {
    expect(chiSquare(countOf(keys.join('')), cells)).toBeLessThan(bound(cells));
    for (let place = 0; place < LENGTH; place += 1)
      expect(chiSquare(countOf(keys.map((key) => key.charAt(place))), cells)).toBeLessThan(bound(cells));
  });

  test('A29: gives every character alike after any other', () => {
    const pairs = keys.flatMap((key) => Array.from({ length: LENGTH - 1 }, (_, at) => key.slice(at, at + 2)));
    expect(chiSquare(countOf(pairs), cells ** 2)).toBeLessThan(bound(cells ** 2));
  });

  test('the bound finds the bias of a byte modulo 62', () => {
    const biased = Array.from(randomBytes(LENGTH * KEYS), (byte) => LETTERS_AND_DIGITS.charAt(byte % cells));
    expect(chiSquare(countOf(biased), cells)).toBeGreaterThan(bound(cells));
  });
});

test('a fraction is at least 0 and below 1, and each tenth comes alike', () => {
  const fractions = Array.from({ length: 100_000 }, randomFraction);
  expect(fractions.every((fraction) => fraction >= 0 && fraction < 1)).toBe(true);
  expect(chiSquare(countOf(fractions.map((fraction) => String(Math.floor(fraction * 10)))), 10)).toBeLessThan(
    bound(10),
  );
});

test('A43: an id is a random UUID: 122 bits, of which none says anything of another', () => {
  const ids = Array.from({ length: 20_000 }, newUuid);
  expect(ids.filter((id) => !/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id))).toEqual(
    [],
  );
  expect(new Set(ids.map((id) => id.slice(0, 18))).size).toBe(ids.length);
  const digits = ids.map((id) => `${id.slice(0, 14)}${id.slice(15, 19)}${id.slice(20)}`.replaceAll('-', ''));
  expect(chiSquare(countOf(digits.join('')), 16)).toBeLessThan(bound(16));
});
