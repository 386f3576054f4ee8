import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type Home, homeAt, PROJECTS, prepareHome, readHomeFile } from './home.ts';
import { lockHome } from './home_lock.ts';

const folders: string[] = [];

function newHome(): Home {
  const folder = mkdtempSync(join(tmpdir(), 'trove-home-'));
  folders.push(folder);
  return homeAt(folder);
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

test('keys, tokens and configuration are made once, mode 0600, and left alone afterwards', () => {
  const home = newHome();
  expect(prepareHome(home)).toHaveLength(4);
  for (const file of [home.configFile, home.keysFile, home.tokensFile, home.catalogFile])
    expect(statSync(file).mode & 0o777).toBe(0o600);
  const keys = readHomeFile(home.keysFile);
  writeFileSync(home.configFile, '# mine\n');
  expect(prepareHome(home)).toEqual([]);
  expect(readHomeFile(home.keysFile)).toBe(keys);
  expect(readHomeFile(home.configFile)).toBe('# mine\n');
});

test('two homes have different keys', () => {
  const [one, two] = [newHome(), newHome()];
  prepareHome(one);
  prepareHome(two);
  expect(readHomeFile(one.keysFile)).not.toBe(readHomeFile(two.keysFile));
});

test('an admin and a member share a project, a second member has another', () => {
  const home = newHome();
  prepareHome(home);
  const { tokens } = JSON.parse(readHomeFile(home.tokensFile)) as {
    tokens: { user_name: string; project_id: string; roles: string[] }[];
  };
  expect(tokens.map(({ user_name, project_id, roles }) => [user_name, project_id, roles.includes('admin')])).toEqual([
    ['admin', PROJECTS.shared, true],
    ['member', PROJECTS.shared, false],
    ['other', PROJECTS.other, false],
  ]);
});

test('a lock whose holder lives names it; one whose holder is dead, or whose number another process has, is taken over', () => {
  const home = newHome();
  const first = lockHome(home.lockFile);
  expect(lockHome(home.lockFile)).toEqual({ holder: expect.objectContaining({ pid: process.pid }) });
  if ('release' in first) first.release();
  writeFileSync(home.lockFile, JSON.stringify({ pid: process.pid, started: 'another time' }));
  expect(lockHome(home.lockFile)).toHaveProperty('release');
  writeFileSync(home.lockFile, 'half written');
  expect(lockHome(home.lockFile)).toHaveProperty('release');
});

test('a catalog that has lost its keys is refused: new ones would open none of its instances', () => {
  const home = newHome();
  prepareHome(home);
  writeFileSync(home.catalogFile, 'a catalog');
  rmSync(home.keysFile);
  expect(() => prepareHome(home)).toThrow('put the keys back');
});
