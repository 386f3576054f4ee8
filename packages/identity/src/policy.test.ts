import { isTroveError } from '@trove/common';
import { expect, test } from 'vitest';
import type { Caller } from './identity.ts';
import { enforce, isAdmin } from './policy.ts';

const member: Caller = { userId: 'u1', userName: 'alice', projectId: 'p1', roles: ['member'] };
const admin: Caller = { ...member, roles: ['member', 'admin'] };

test('an owner may act in the own project and nowhere else', () => {
  enforce('instance:show', member, 'p1');
  expect(() => enforce('instance:show', member, 'p2')).toThrow(/instance:show/);
});

test('an admin may act in every project', () => {
  enforce('instance:delete', admin, 'p2');
});

test('what is for admins is theirs alone, also in the own project', () => {
  enforce('context_is_admin', admin, 'p2');
  expect(() => enforce('context_is_admin', member, 'p1')).toThrow('User does not have admin privileges.');
});

test('a rule that is open lets anyone through', () => {
  enforce('flavor:index', member, 'p2');
});

test('a refusal is FORBIDDEN', () => {
  try {
    enforce('instance:delete', member, 'p2');
    expect.unreachable();
  } catch (error) {
    expect(isTroveError(error, 'FORBIDDEN')).toBe(true);
  }
});

test('only the role named admin makes an admin', () => {
  expect(isAdmin(member)).toBe(false);
  expect(isAdmin({ ...member, roles: ['Admin', 'administrator'] })).toBe(false);
  expect(isAdmin(admin)).toBe(true);
});
