import { chmodSync, chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accountOfUrl, Secret, silentLogger, writeFileDurably } from '@trove/common';
import { brokerPassword } from '@trove/crypto-rpc';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadGuestConfig } from '../options.ts';
import { InjectedFiles } from './injected_files.ts';

const ID = '792fa220-2a40-4831-85af-cfb0ded8033c';
const [OLD, NEXT, THIRD] = ['A'.repeat(32), 'B'.repeat(32), 'C'.repeat(32)];
const INFO = `[DEFAULT]\nguest_id=${ID}\ninstance_rpc_encr_key=${OLD}\ninstance_rpc_bootstrap_until=1000\n`;
const agentFile = (url: string): string => `[DEFAULT]\nsealed_transport_url=${url}\nreport_interval=2\n`;
const AGENT = agentFile(`rabbit://guest-${ID}:injected@broker:5672/a$$b`);

let folder: string;
let info: string;
let agent: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'injected-'));
  [agent, info] = [join(folder, 'trove-guestagent.conf'), join(folder, 'guest_info.conf')];
  writeFileSync(agent, AGENT, { mode: 0o600 });
  writeFileSync(info, INFO, { mode: 0o600 });
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = (write?: typeof writeFileDurably): InjectedFiles =>
  new InjectedFiles({
    configFiles: [agent, info],
    instanceId: ID,
    logger: silentLogger,
    ...(write !== undefined && { write }),
  });
const text = (key: string): { text: Secret } => ({ text: new Secret(key) });
const active = (key = OLD, version = 1) => ({ version, ...text(key) });
const passwords = (files = open()): string[] =>
  files
    .passwords()
    ?.candidates()
    .map((one) => one.reveal()) ?? [];
const passwordOf = (key: string): string => brokerPassword(key).reveal();

test('a pending key stands beside the present one, which is as it was; proven it takes its place, and nothing of the old is left', () => {
  const files = open();
  const { active: injected } = files.read();
  expect([injected.version, injected.bootstrapUntil]).toEqual([1, 1000]);
  files.write({ active: injected, pending: { version: 2, ...text(NEXT) } });
  expect(open().read()).toMatchObject({ active: { version: 1, bootstrapUntil: 1000 }, pending: { version: 2 } });
  expect(readFileSync(agent, 'utf8')).toBe(AGENT);
  files.write({ active: active(NEXT, 2) });
  expect(readFileSync(info, 'utf8')).toBe(
    `[DEFAULT]\nguest_id=${ID}\ninstance_rpc_encr_key=${NEXT}\ninstance_rpc_key_version=2\n`,
  );
  const { sealed_transport_url: url } = loadGuestConfig([agent, info]).DEFAULT;
  expect(url && accountOfUrl(url)?.password.reveal()).toBe(passwordOf(NEXT));
  expect(url?.reveal()).toMatch(/@broker:5672\/a%24b$/);
});

test('the password of before is tried too, until the broker has taken one', () => {
  const files = open();
  expect(passwords()).toEqual(['injected']);
  files.write({ active: active(NEXT, 2) });
  expect(passwords()).toEqual([passwordOf(NEXT), 'injected']);
  files.write({ active: active(THIRD, 3) });
  expect(passwords()).toEqual([passwordOf(THIRD), passwordOf(NEXT), 'injected']);
  files.passwords()?.accepted(new Secret(passwordOf(NEXT)));
  expect(passwords()).toEqual([passwordOf(THIRD), passwordOf(NEXT)]);
  files.passwords()?.accepted(new Secret(passwordOf(THIRD)));
  expect(passwords()).toEqual([passwordOf(THIRD)]);
  expect(readFileSync(agent, 'utf8')).not.toContain('passwords');
});

test('the password of an account that is shared stays, and is the only one', () => {
  const shared = agentFile('rabbit://trove:shared@broker:5672/');
  writeFileSync(agent, shared);
  const files = open();
  expect(files.passwords()).toBeUndefined();
  files.write({ active: active(NEXT, 2) });
  expect(readFileSync(agent, 'utf8')).toBe(shared);
});

test('killed before or after any write, it comes back with one key whole, and a password that the broker may know', () => {
  const steps = [
    { active: active(), pending: { version: 2, ...text(NEXT) } },
    { active: active(NEXT, 2) },
    { active: active(NEXT, 2), pending: { version: 3, ...text(THIRD) } },
    { active: active(THIRD, 3) },
  ];
  const keys = new Map([OLD, NEXT, THIRD].map((key, index) => [index + 1, key]));
  let crashes = 0;
  for (let point = 0; ; point += 1) {
    writeFileSync(agent, AGENT);
    writeFileSync(info, INFO);
    let writes = 0;
    const dying: typeof writeFileDurably = (...args) => {
      if (writes === point) throw new Error('killed before');
      writeFileDurably(...args);
      writes += 1;
      if (writes === point) throw new Error('killed after');
    };
    let died = false;
    for (const step of steps) {
      const before = open().read().active.version;
      const known = passwords().slice(0, 1);
      try {
        open(dying).write(step);
      } catch {
        died = true;
      }
      const now = open().read();
      expect([before, step.active.version], `point ${point}`).toContain(now.active.version);
      expect(now.active.text.reveal()).toBe(keys.get(now.active.version));
      expect(passwords(), `point ${point}`).toEqual(expect.arrayContaining(known));
      if (died) break;
    }
    if (!died) break;
    crashes += 1;
  }
  expect(crashes).toBe(7);
});

test('what an interrupted write has left is taken away, and owner and mode stay', () => {
  for (const name of ['guest_info.conf.123.partial', 'trove-guestagent.conf.9.partial'])
    writeFileSync(join(folder, name), 'a key');
  writeFileSync(join(folder, 'other.partial'), 'not ours');
  chmodSync(info, 0o640);
  // Only root may give a file away, and an agent inside a control plane that is root must not take it.
  const owner = process.getuid?.() === 0 ? 65534 : process.getuid?.();
  if (owner === 65534) chownSync(info, owner, owner);
  open().write({ active: active(NEXT, 2) });
  expect(readdirSync(folder).sort()).toEqual(['guest_info.conf', 'other.partial', 'trove-guestagent.conf']);
  expect(statSync(info).mode & 0o777).toBe(0o640);
  expect(statSync(agent).mode & 0o777).toBe(0o600);
  expect(statSync(info).uid).toBe(owner);
});
