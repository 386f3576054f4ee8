import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const BIN = join(import.meta.dirname, '../bin/trove-manage.js');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trove-manage-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const run = (...argv: string[]): string =>
  execFileSync(process.execPath, [BIN, ...argv], { encoding: 'utf8', stdio: 'pipe' });

test('the program starts from the shell and names its commands', () => {
  const help = run('--help');
  for (const command of ['db_sync', 'db_downgrade', 'db_version', 'datastore_update', 'image-list'])
    expect(help).toContain(command);
});

test('image-list prints id, name, manager and version of what the configured compute driver has', () => {
  const config = join(folder, 'trove.conf');
  writeFileSync(config, `[compute_local]\nroot = ${folder}/instances\n`);
  const [, heading, , ...rows] = run('--config-file', config, 'image-list').trim().split('\n');
  expect(heading).toMatch(/^\| ID +\| Name +\| Manager +\| Version +\|$/);
  expect(rows.join('\n')).toMatch(/^\| [0-9a-f-]{36} +\| [^|]+ \| postgresql +\| [0-9.]+ +\|$/m);
});

test('a compute driver of a later release is told with its name', () => {
  const config = join(folder, 'nova.conf');
  writeFileSync(config, '[DEFAULT]\ncompute_driver = nova\n');
  expect(() => run('--config-file', config, 'image-list')).toThrow('"nova" is not part of this release');
});
