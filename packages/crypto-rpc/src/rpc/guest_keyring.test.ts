import { Secret } from '@trove/common';
import { beforeEach, describe, expect, test } from 'vitest';
import { agreedKey, newKeyPair } from '../keys/agreement.ts';
import { keyCheckValue } from '../keys/derive.ts';
import { type HeldKeysFile, heldInMemory } from '../keys/held_keys.ts';
import { GuestKeyring } from './guest_keyring.ts';

const OLD = 'A'.repeat(32);
const HOUR = 3_600_000;
const clock = { now: () => 0, monotonic: () => now, sleep: async () => undefined };
let now = 0;
let file: HeldKeysFile;
let keyring: GuestKeyring;

const start = (bootstrapUntil?: number): void => {
  file = heldInMemory({ version: 1, text: new Secret(OLD), bootstrapUntil });
  keyring = new GuestKeyring(file, clock);
};
const admits = (version: number, method: string, at: { issued: number; now?: number } = { issued: 0 }): string => {
  try {
    keyring.admit(version, method, { now: undefined, ...at });
    return 'yes';
  } catch (error) {
    return String(Reflect.get(Object(error), 'reason'));
  }
};
/** Agrees as a taskmanager does; the new key's text. */
function agree(version: number): string {
  const own = newKeyPair();
  const answer = keyring.agree({ version, public: own.public.toString('hex') }, file.read().active.version);
  const guest = Buffer.from(answer.public, 'hex');
  const oldKey = file.read().active.text.reveal();
  const text = agreedKey(own, guest, { version, oldKey, taskmanager: own.public, guest }).reveal();
  expect(answer.kcv).toBe(keyCheckValue(text));
  return text;
}

describe('a guest with a key', () => {
  beforeEach(() => {
    now = 0;
    start();
  });

  test('agrees on the next, which opens its proof and nothing else, beside the old one that opens everything', () => {
    const text = agree(2);
    expect(file.read().pending?.text.reveal()).toBe(text);
    expect(['hello', 'rotate_key', 'restart'].map((method) => admits(2, method))).toEqual([
      ...['yes', 'key_version', 'key_version'],
    ]);
    expect(['hello', 'rotate_key', 'restart'].map((method) => admits(1, method))).toEqual(['yes', 'yes', 'yes']);
    expect(keyring.reportKey()?.version).toBe(1);
  });

  test('proven, it is the key on the disk; the old one opens calls for two minutes more, and what is about keys never again', () => {
    const text = agree(2);
    keyring.prove(2);
    expect(file.read()).toMatchObject({ active: { version: 2 } });
    expect([file.read().active.text.reveal(), file.read().pending]).toEqual([text, undefined]);
    expect(keyring.reportKey()?.version).toBe(2);
    const old = (): string[] => ['restart', 'hello', 'rotate_key'].map((method) => admits(1, method));
    expect(old()).toEqual(['yes', 'key_version', 'key_version']);
    agree(3);
    keyring.prove(3);
    now = 119_999;
    expect([...old(), admits(2, 'restart')]).toEqual(['yes', 'key_version', 'key_version', 'yes']);
    now = 120_000;
    expect([keyring.downlink(1), keyring.downlink(2), admits(1, 'restart')]).toEqual([
      undefined,
      undefined,
      'key_version',
    ]);
    expect(admits(3, 'restart')).toBe('yes');
  });

  test('a second agreement takes the place of the first one, which proves nothing any more', () => {
    agree(2);
    const text = agree(3);
    keyring.prove(2);
    expect([keyring.downlink(2), file.read().active.version]).toEqual([undefined, 1]);
    keyring.prove(3);
    expect(file.read().active.text.reveal()).toBe(text);
  });

  test('no version comes back, and a public key without a secret changes nothing', () => {
    agree(5);
    keyring.prove(5);
    for (const version of [5, 4, 1]) expect(() => agree(version)).toThrow('above that of the present one');
    expect(() => keyring.agree({ version: 6, public: '00'.repeat(32) }, 5)).toThrow('gives no secret');
    expect(file.read().pending).toBeUndefined();
  });

  test('what was asked under a key that has changed since is not agreed on', () => {
    agree(2);
    keyring.prove(2);
    const late = { version: 3, public: newKeyPair().public.toString('hex') };
    expect(() => keyring.agree(late, 1)).toThrow('changed meanwhile');
    expect(file.read().pending).toBeUndefined();
  });

  test('started anew it is what its file says, and a version on its way out is none any more', () => {
    agree(2);
    keyring = new GuestKeyring(file, clock);
    expect([admits(2, 'hello'), admits(1, 'restart')]).toEqual(['yes', 'yes']);
    keyring.prove(2);
    keyring = new GuestKeyring(file, clock);
    expect([admits(2, 'restart'), admits(1, 'restart')]).toEqual(['yes', 'key_version']);
  });

  test('what the disk did not take did not happen', () => {
    const text = agree(2);
    const write = (): void => {
      throw new Error('disk full');
    };
    keyring = new GuestKeyring({ ...file, write }, clock);
    expect(() => keyring.prove(2)).toThrow('disk full');
    expect(() => agree(3)).toThrow('disk full');
    expect([admits(1, 'restart'), admits(2, 'hello'), file.read().pending?.text.reveal()]).toEqual([
      'yes',
      'yes',
      text,
    ]);
  });
});

describe('a guest with a key that was injected', () => {
  beforeEach(() => {
    now = 0;
    start(HOUR);
  });

  test('says who it is and agrees on another, and does nothing else, not even report', () => {
    expect(['hello', 'rotate_key', 'prepare', 'nothing'].map((method) => admits(1, method))).toEqual([
      ...['yes', 'yes', 'bootstrap', 'bootstrap'],
    ]);
    expect(keyring.reportKey()).toBeUndefined();
  });

  test('with the other one proven the injected key opens nothing from that moment on', () => {
    agree(2);
    expect(admits(1, 'hello')).toBe('yes');
    keyring.prove(2);
    expect(keyring.downlink(1)).toBeUndefined();
    expect(['hello', 'rotate_key', 'restart'].map((method) => admits(1, method))).toEqual(Array(3).fill('key_version'));
    expect(file.read().active.bootstrapUntil).toBeUndefined();
    expect(keyring.reportKey()?.version).toBe(2);
  });

  test('is over by the time of what was sealed, by the time that hello told, and half an hour after its start', () => {
    expect(admits(1, 'hello', { issued: HOUR - 1 })).toBe('yes');
    expect(admits(1, 'hello', { issued: HOUR })).toBe('bootstrap');
    expect(admits(1, 'hello', { issued: 0, now: HOUR })).toBe('bootstrap');
    now = HOUR / 2;
    expect(admits(1, 'hello', { issued: 0, now: 1 })).toBe('bootstrap');
  });
});
