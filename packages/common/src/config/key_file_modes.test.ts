import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkKeyFileModes } from './key_file_modes.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'modes-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string, mode: number): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

test('a file with a key that others may read is told, one without a key is not', () => {
  const key = '[DEFAULT]\ninst_rpc_key_encr_key = k\n';
  const group = file('group.conf', key, 0o640);
  const all = file('all.conf', key, 0o604);
  const own = file('own.conf', key, 0o600);
  const plain = file('plain.conf', '[DEFAULT]\nhost = a\n', 0o666);
  expect(checkKeyFileModes([group, all, own, plain])).toEqual([group, all]);
});

test('a file with a key that everyone may write is refused by name', () => {
  const open = file('open.conf', '[DEFAULT]\ntaskmanager_rpc_encr_key = k\n', 0o602);
  expect(() => checkKeyFileModes([open])).toThrow(`${open} holds a key and may be written by everyone`);
});
