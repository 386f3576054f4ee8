import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hkdfSha256 } from '@trove/common';
import { describe, expect, test } from 'vitest';
import { agreedKey, brokerPassword, type KeyPair, newKeyPair } from './agreement.ts';
import { keyCheckValue } from './derive.ts';

/** Made by a program that shares no code with ours. */
interface Vector {
  readonly name: string;
  readonly version: number;
  readonly old_key: string;
  readonly taskmanager_private: string;
  readonly taskmanager_public: string;
  readonly guest_private: string;
  readonly guest_public: string;
  readonly shared_secret: string;
  readonly okm: string;
  readonly key: string;
  readonly kcv: string;
  readonly broker_password: string;
}

const file = new URL('../../vectors/rotate.json', import.meta.url);
const vectors: { rotate: Vector[]; refused_public_keys: string[] } = JSON.parse(readFileSync(file, 'utf8'));

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

const base64url = (text: string): string => hex(text).toString('base64url');

function pairOf(privateHex: string, publicHex: string): KeyPair {
  const jwk = { kty: 'OKP', crv: 'X25519', d: base64url(privateHex), x: base64url(publicHex) };
  return { public: hex(publicHex), privateKey: createPrivateKey({ key: jwk, format: 'jwk' }) };
}

describe.each(vectors.rotate)('$name', (vector) => {
  const sides = { taskmanager: hex(vector.taskmanager_public), guest: hex(vector.guest_public) };
  const agreement = { version: vector.version, oldKey: vector.old_key, ...sides };
  const taskmanager = pairOf(vector.taskmanager_private, vector.taskmanager_public);
  const guest = pairOf(vector.guest_private, vector.guest_public);

  test('both sides derive the same key, check value and password', () => {
    const keys = [agreedKey(taskmanager, guest.public, agreement), agreedKey(guest, taskmanager.public, agreement)];
    expect(keys.map((key) => key.reveal())).toEqual([vector.key, vector.key]);
    expect(keyCheckValue(vector.key)).toBe(vector.kcv);
    expect(brokerPassword(vector.key).reveal()).toBe(vector.broker_password);
  });

  test('what stands in between is as it is told', () => {
    const ikm = Buffer.concat([hex(vector.shared_secret), Buffer.from(vector.old_key)]);
    const version = Buffer.alloc(4);
    version.writeUInt32BE(vector.version);
    const info = Buffer.concat([version, sides.taskmanager, sides.guest]);
    expect(hkdfSha256(ikm, 'trove-rotate', info, 256).toString('hex')).toBe(vector.okm);
  });

  test('another version, old key or order of the public keys is another key', () => {
    const others = [
      { ...agreement, version: vector.version + 1 },
      { ...agreement, oldKey: `${vector.old_key.slice(1)}x` },
      { ...agreement, taskmanager: sides.guest, guest: sides.taskmanager },
    ];
    const keys = others.map((other) => agreedKey(taskmanager, guest.public, other).reveal());
    expect(new Set([...keys, vector.key]).size).toBe(4);
  });
});

test('two fresh pairs agree, on 32 letters and digits, and never on the same', () => {
  const agree = (): string => {
    const [one, other] = [newKeyPair(), newKeyPair()];
    const agreement = { version: 2, oldKey: 'k', taskmanager: one.public, guest: other.public };
    const key = agreedKey(one, other.public, agreement).reveal();
    expect(agreedKey(other, one.public, agreement).reveal()).toBe(key);
    expect(key).toMatch(/^[A-Za-z0-9]{32}$/);
    return key;
  };
  expect(agree()).not.toBe(agree());
});

test.each(vectors.refused_public_keys)('the public key %s, which gives the all-zero secret, is refused', (text) => {
  const own = newKeyPair();
  const agreement = { version: 2, oldKey: 'k', taskmanager: own.public, guest: hex(text) };
  expect(() => agreedKey(own, hex(text), agreement)).toThrow('gives no secret');
});
