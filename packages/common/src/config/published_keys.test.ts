import { expect, test } from 'vitest';
import { Secret } from '../secret.ts';
import { checkPublishedKeys } from './published_keys.ts';

const PUBLISHED = 'emYjgHFqfXNB1NGehAFIUeoyw4V4XwWHEaKP';
const ring = (...texts: string[]) => texts.map((text) => new Secret(text));

test('a published control-plane key is refused wherever it stands, whatever is allowed', () => {
  const settings = {
    taskmanager_rpc_encr_key: ring('own', 'bzH6y0SGmjuoY0FNSTptrhgieGXNDX6PIhvz'),
    allow_published_keys: true,
  };
  expect(() => checkPublishedKeys(settings)).toThrow(/taskmanager_rpc_encr_key/);
});

test('a published key-encryption key is refused unless allowed', () => {
  expect(() => checkPublishedKeys({ inst_rpc_key_encr_key: ring(PUBLISHED), allow_published_keys: false })).toThrow(
    /inst_rpc_key_encr_key/,
  );
});

test('where allowed it is named as a warning, alone or as a later entry, and never first of several', () => {
  const check = (...texts: string[]) =>
    checkPublishedKeys({ inst_rpc_key_encr_key: ring(...texts), allow_published_keys: true });
  expect(check(PUBLISHED)).toEqual(['inst_rpc_key_encr_key']);
  expect(check('own', PUBLISHED)).toEqual(['inst_rpc_key_encr_key']);
  expect(check('own')).toEqual([]);
  expect(() => check(PUBLISHED, 'own')).toThrow(/first/);
});
