import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LogFields, type Logger, silentLogger } from '@trove/common';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadStaticTokens, staticTokens } from './static_tokens.ts';

const entry = {
  token: 'a-long-enough-token-1',
  user_id: 'u1',
  user_name: 'alice',
  project_id: 'p1',
  roles: ['member'],
};
let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trove-identity-'));
  file = join(folder, 'tokens.json');
});
afterEach(() => rm(folder, { recursive: true }));

test('a token in the file gives its caller, another gives nobody', async () => {
  const identity = staticTokens({ tokens: [entry] }, 'tokens.json');
  expect(await identity.authenticate(entry.token)).toEqual({
    userId: 'u1',
    userName: 'alice',
    projectId: 'p1',
    roles: ['member'],
  });
  for (const other of ['', entry.token.slice(0, -1), `${entry.token} `, entry.token.toUpperCase()]) {
    expect(await identity.authenticate(other)).toBeUndefined();
  }
});

test.each([
  [{ tokens: [{ ...entry, roles: 'admin' }] }, /tokens\.json: tokens\.0\.roles must be array/],
  [{ tokens: [{ ...entry, token: 'short' }] }, /tokens\.0\.token/],
  [{ tokens: [{ ...entry, admin: true }] }, /tokens\.0 must not have a member admin/],
  [[], /the file must be object/],
  [{ tokens: [entry, entry] }, /two entries of tokens have the same token/],
  ...['P1', 'p1 ', 'ṕ1'].map((project_id): [unknown, RegExp] => [
    { tokens: [entry, { ...entry, token: 'a-long-enough-token-2', project_id }] },
    /two project_id differ only in case, accents or blanks/,
  ]),
])('a file of another shape is refused, and the message names the place', (value, message) => {
  expect(() => staticTokens(value, 'tokens.json')).toThrow(message);
});

test('no message shows a token', () => {
  expect.assertions(2);
  for (const value of [{ tokens: [entry, entry] }, { tokens: [{ ...entry, extra: 1 }] }]) {
    try {
      staticTokens(value, 'tokens.json');
    } catch (error) {
      expect(String(error)).not.toContain(entry.token);
    }
  }
});

test('a file that is missing or is not JSON is an error that names it', async () => {
  await expect(loadStaticTokens(file, silentLogger)).rejects.toThrow(`${file} cannot be read`);
  await writeFile(file, '{"tokens": [');
  await expect(loadStaticTokens(file, silentLogger)).rejects.toThrow(`${file} is not JSON`);
});

test('a file that everybody can read is warned about, a private one is not', async () => {
  const warnings: LogFields[] = [];
  const logger: Logger = { ...silentLogger, warn: (_message, fields) => warnings.push(fields ?? {}) };
  await writeFile(file, JSON.stringify({ tokens: [entry] }));
  await chmod(file, 0o600);
  await loadStaticTokens(file, logger);
  expect(warnings).toEqual([]);
  await chmod(file, 0o644);
  await loadStaticTokens(file, logger);
  expect(warnings).toEqual([{ file }]);
});
