import { newUuid } from '@trove/common';
import { beforeEach, expect, test } from 'vitest';
import { guestAccount } from './guest_account.ts';
import { SessionBudget } from './session_budget.ts';

let now: number;
let budget: SessionBudget;
beforeEach(() => {
  now = 0;
  budget = new SessionBudget(() => now);
});

/** How many of these derivations are let through. */
function allowed(userId: string | undefined, senders: readonly string[]): number {
  let count = 0;
  for (const sender of senders)
    try {
      budget.take(userId, sender);
      count += 1;
    } catch (error) {
      expect(error).toMatchObject({ name: 'Refusal', reason: 'rate' });
    }
  return count;
}

const senders = (count: number): string[] => Array.from({ length: count }, () => `guest:${newUuid()}`);
const alike = (sender: string, count: number): string[] => Array.from({ length: count }, () => sender);

test("a guest's own account is held by what the broker calls it, whomever it claims to be", () => {
  const thief = guestAccount(newUuid());
  expect(allowed(thief, senders(1000))).toBe(32);
  now += 1000;
  expect(allowed(thief, senders(1000))).toBe(4);
  expect(allowed(guestAccount(newUuid()), senders(1))).toBe(1);
});

test.each([
  ['a shared account', 'trove'],
  ['no account', undefined],
])('%s has so much for all whom it claims, and a sender no more than a guest of its own', (_, userId) => {
  expect(allowed(userId, alike('guest:loud', 100))).toBe(32);
  expect(allowed(userId, senders(5000))).toBe(1024 - 32);
  expect(allowed(userId, alike('guest:other', 1))).toBe(0);
  now += 1000;
  expect(allowed(userId, senders(5000))).toBe(256);
  expect(allowed(guestAccount(newUuid()), alike('guest:own', 1))).toBe(1);
});

test('what opens costs nothing, however many guests begin at once', () => {
  for (const sender of senders(5000)) {
    budget.take('trove', sender);
    budget.giveBack('trove', sender);
  }
  expect(allowed('trove', senders(5000))).toBe(1024);
});

test('nobody saves up more than a bucket, and none goes back', () => {
  const account = guestAccount(newUuid());
  for (let count = 0; count < 100; count += 1) budget.giveBack(account, 'guest:x');
  now += 3_600_000;
  expect(allowed(account, senders(100))).toBe(32);
});
