import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
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

test('a change of an instance key is filed for the taskmanagers, once, and refused where there is none to change', () => {
  const config = join(folder, 'keys.conf');
  const database = join(folder, 'catalog.sqlite');
  writeFileSync(config, `[database]\nconnection = sqlite:///${database}\n`);
  run('--config-file', config, 'db_sync');
  const catalog = new DatabaseSync(database);
  const insert = catalog.prepare(
    'INSERT INTO instances (id, name, tenant_id, deleted, rpc_policy) VALUES (?, ?, ?, 0, ?)',
  );
  for (const [id, policy] of [
    ['clear', 0],
    ['old', 1],
    ['sealed', 2],
  ] as const)
    insert.run(id, id, 'p', policy);
  const rotate = (id: string): string => run('--config-file', config, 'keys', 'rotate-instance', id);
  expect(() => rotate('nobody')).toThrow('Instance nobody cannot be found.');
  expect(() => rotate('clear')).toThrow('has no key; an upgrade gives it one.');
  expect(() => rotate('old')).toThrow("speaks Trove's own protocol");
  expect(rotate('sealed')).toMatch(/^The key of instance sealed is being changed: task [0-9a-f-]{36}\.\n$/);
  expect(() => rotate('sealed')).toThrow('is busy');
  const tasks = catalog.prepare('SELECT kind, instance_id, project_id, state FROM tasks').all();
  catalog.close();
  expect(tasks).toEqual([{ kind: 'rotate_key', instance_id: 'sealed', project_id: 'p', state: 'pending' }]);
}, 180_000);
