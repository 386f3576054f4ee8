import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiOptions } from '@trove/api';
import { loadConfig } from '@trove/common';
import { conductorOptions } from '@trove/conductor';
import { taskmanagerOptions } from '@trove/taskmanager';
import { afterEach, expect, test } from 'vitest';
import { initStack } from './init.ts';

const folders: string[] = [];
const VOLUMES = ['secrets', 'api', 'taskmanager', 'conductor', 'catalog', 'rabbitmq', 'mysql'];

function emptyStack(): string {
  const root = mkdtempSync(join(tmpdir(), 'trove-stack-'));
  folders.push(root);
  for (const volume of VOLUMES) mkdirSync(join(root, volume));
  return root;
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function filesBelow(root: string): Record<string, string> {
  const names = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    names.map(({ parentPath, name }) => [
      join(parentPath, name).slice(root.length + 1),
      readFileSync(join(parentPath, name), 'utf8'),
    ]),
  );
}

test('every file has mode 0600, and what is told holds no secret', () => {
  const root = emptyStack();
  const told = initStack({ root }).join('\n');
  const files = filesBelow(root);
  expect(Object.keys(files)).toHaveLength(11);
  for (const name of Object.keys(files))
    expect({ name, mode: statSync(join(root, name)).mode & 0o777 }).toEqual({ name, mode: 0o600 });
  const secrets = Object.values(JSON.parse(files['secrets/secrets.json'] ?? '{}') as Record<string, string>);
  for (const secret of secrets) expect(told).not.toContain(secret);
});

test('a second time changes nothing, and what an operator has written stays', () => {
  const root = emptyStack();
  initStack({ root });
  const conductor = join(root, 'conductor', 'trove-conductor.conf');
  writeFileSync(conductor, `${readFileSync(conductor, 'utf8')}\n# mine\n`);
  const before = filesBelow(root);
  const told = initStack({ root });
  expect(filesBelow(root)).toEqual(before);
  expect(told[0]).toContain('are there');
});

test('a stack that has lost its secrets is refused: new ones would open none of its instances', () => {
  const root = emptyStack();
  initStack({ root });
  rmSync(join(root, 'secrets', 'secrets.json'));
  expect(() => initStack({ root })).toThrow('put it back');
});

test("each service's file is a configuration of it, with its own secrets and no other's", () => {
  const root = emptyStack();
  initStack({ root });
  const files = filesBelow(root);
  const secrets = JSON.parse(files['secrets/secrets.json'] ?? '{}') as Record<string, string>;
  const held = (name: string) =>
    Object.keys(secrets)
      .filter((secret) => (files[name] ?? '').includes(secrets[secret] ?? 'none'))
      .toSorted();
  expect(held('api/trove.conf')).toEqual(['brokerApi', 'controlKey', 'databaseApi']);
  expect(held('conductor/trove-conductor.conf')).toEqual(['brokerConductor', 'databaseConductor', 'uplinkKey']);
  expect(held('taskmanager/trove-taskmanager.conf')).toEqual([
    'brokerLegacy',
    'brokerProvisioner',
    'brokerTaskmanager',
    'controlKey',
    'databaseTaskmanager',
    'instanceKey',
    'uplinkKey',
  ]);
  expect(held('rabbitmq/definitions.json')).toEqual([]);
  const read = (name: string) => ({
    files: [join(root, name)],
    env: {},
    service: name,
    onUnused: (names: string[]) => expect(names).toEqual([]),
  });
  loadConfig({ ...read('api/trove.conf'), options: apiOptions });
  loadConfig({ ...read('conductor/trove-conductor.conf'), options: conductorOptions });
  loadConfig({ ...read('taskmanager/trove-taskmanager.conf'), options: taskmanagerOptions });
});
