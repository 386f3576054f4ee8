import { expect, test } from 'vitest';
import { mayUpgrade } from './registry.ts';

test.each([
  ['postgresql', '18.4', '18.5', 'a minor version on', true],
  ['postgresql', '18.5', '18.4', 'a minor version back: the same files', true],
  ['postgresql', '17.6', '18.4', 'needs pg_upgrade', false],
  ['postgresql', '18.4', '17.6', 'back', false],
  ['postgresql', '9.5.25', '9.6.24', 'before 10 a series has two numbers', false],
  ['mysql', '8.0.36', '8.0.43', 'within a series', true],
  ['mysql', '8.0.43', '8.0.36', 'back within a series', false],
  ['mysql', '5.7.44', '8.0.43', 'a step that the server takes itself', true],
  ['mysql', '8.0.43', '8.4.6', 'a step that the server takes itself', true],
  ['mysql', '5.7.44', '8.4.6', 'over a series', false],
  ['mysql', '8.4.6', '8.0.43', 'back', false],
  ['mysql', '5.7', '5.7.44', 'one that does not say is any of its series', true],
  ['mysql', '5.7.44', '5.7', 'one that does not say is any of its series', true],
  ['mariadb', '10.11.8', '10.11.19', 'within a series', true],
  ['mariadb', '10.11.19', '10.6.22', 'back', false],
  ['mariadb', '10.6.22', '10.11.19', 'needs mariadb-upgrade', false],
  ['mariadb', '10', '10.11.19', 'no series', false],
  ['postgresql', 'newest', '18.4', 'no version', false],
  ['redis', '7.0', '7.2', 'no driver', false],
])('%s from %s to %s: %s', (manager, from, to, _why, allowed) => {
  expect(mayUpgrade(manager, from, to)).toBe(allowed);
});
