import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Account } from './account.ts';
import { readInjectedFiles, writeInjectedFiles } from './injected_files.ts';

const INFO = '/etc/trove/conf.d/guest_info.conf';
const FILES = { [INFO]: 'key=old\n', '/etc/trove/trove-guestagent.conf': 'url\n' };
/** As databases and agents run while the control plane is root. */
const account: Account | undefined = process.getuid?.() === 0 ? { name: 'nobody', uid: 65534, gid: 65534 } : undefined;

let top: string;
let folder: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'injected-'));
  chmodSync(top, 0o755);
  folder = join(top, 'files');
  writeInjectedFiles(folder, FILES, account);
});
afterEach(() => rmSync(top, { recursive: true }));

test("the agent's account replaces a file of its server in one rename, and nobody else can read it before or after", () => {
  const path = join(folder, INFO);
  const replace = `umask 077 && printf 'key=new\\n' > ${path}.1.partial && mv ${path}.1.partial ${path}`;
  const { status, stderr } = spawnSync('sh', ['-c', replace], {
    encoding: 'utf8',
    ...(account !== undefined && { uid: account.uid, gid: account.gid }),
  });
  expect([status, stderr]).toEqual([0, '']);
  expect(readInjectedFiles(folder)).toEqual({ ...FILES, [INFO]: 'key=new\n' });
  for (const part of ['', '/etc', '/etc/trove/conf.d']) expect(statSync(`${folder}${part}`).mode & 0o077).toBe(0);
  expect(statSync(path).mode & 0o077).toBe(0);
});

test('what an agent that was killed has left half-way is no file of the server', () => {
  writeFileSync(join(folder, `${INFO}.77.partial`), 'key=never\n');
  expect(readInjectedFiles(folder)).toEqual(FILES);
});
