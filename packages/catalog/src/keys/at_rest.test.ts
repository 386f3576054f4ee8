import { createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import { Secret } from '@trove/common';
import { describe, expect, test } from 'vitest';
import { openAsTrove, openAtRest, type Place, sealAsTrove, sealAtRest, versionAtRest } from './at_rest.ts';
import { openTaskSecret, sealTaskSecret } from './task_secret.ts';

const place: Place = {
  table: 'instances',
  column: 'encrypted_key',
  rowId: '792fa220-2a40-4831-85af-cfb0ded8033c',
  version: 7,
  policy: 2,
};
const old = Buffer.from('the key of last year');
const current = Buffer.from('the key of this year');
const ki = 'eRz43LwE6eaxIbBlA2pNukzPjSdcQkVi';

/** Opens by the written format alone, without our own code. */
function openIndependently(text: string, kek: Buffer, aad: string): string {
  const [format, id, , salt = '', sealed = ''] = text.split('.');
  expect([format, id]).toEqual(['v2', createHmac('sha256', kek).update('trove-kek-id').digest('hex').slice(0, 8)]);
  const okm = Buffer.from(hkdfSync('sha256', kek, Buffer.from(salt, 'base64url'), 'trove-rest-v2', 44));
  const bytes = Buffer.from(sealed, 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', okm.subarray(0, 32), okm.subarray(32), { authTagLength: 16 });
  decipher.setAAD(Buffer.from(aad)).setAuthTag(bytes.subarray(-16));
  return decipher.update(bytes.subarray(0, -16), undefined, 'utf8') + decipher.final('utf8');
}

describe('a key at rest', () => {
  test('is written as the format says, and fits the column', () => {
    const text = sealAtRest([current, old], place, ki);
    expect(text.length).toBeLessThanOrEqual(255);
    expect(versionAtRest(text)).toBe(7);
    expect(openIndependently(text, current, `trove|instances|encrypted_key|${place.rowId}|7|2`)).toBe(ki);
  });

  test('never looks the same twice', () => {
    expect(sealAtRest([current], place, ki)).not.toBe(sealAtRest([current], place, ki));
  });

  test('opens under every key of the ring, and under no other', () => {
    const text = sealAtRest([old], place, ki);
    expect(openAtRest([current, old], place, text).toString()).toBe(ki);
    expect(() => openAtRest([current], place, text)).toThrow(expect.objectContaining({ code: 'INTERNAL' }) as Error);
  });

  test.each([
    ['another instance', { rowId: '514ef051-0bf7-48a5-adcf-071d4a6625fb' }],
    ['a lower policy', { policy: 1 }],
    ['another version', { version: 8 }],
    ['another column', { column: 'uplink' }],
    ['another table', { table: 'instance_keys' }],
  ])('does not open when it was moved to %s', (_what, change) => {
    const text = sealAtRest([current], place, ki);
    expect(() => openAtRest([current], { ...place, ...change }, text)).toThrow('does not open');
  });

  test('does not open with any one character changed', () => {
    const text = sealAtRest([current], place, ki);
    for (let at = 0; at < text.length; at += 1) {
      const other = text[at] === 'A' ? 'B' : 'A';
      expect(
        () => openAtRest([current], place, text.slice(0, at) + other + text.slice(at + 1)),
        `character ${at}`,
      ).toThrow('does not open');
    }
  });

  test("Trove's own form opens: the value and key that its own code wrote", () => {
    const stored = 'fVpHrkUIjVsXe7Fj7Lm4u2xnJUsWX2rMC9GL0AppILJINBZxLvkowY8FOa+asKS+8pWb4iNyukQQ4AQoLEUHUQ==';
    const published = Buffer.from('emYjgHFqfXNB1NGehAFIUeoyw4V4XwWHEaKP');
    expect(openAsTrove([current, published], stored)).toBe(ki);
    expect(() => openAsTrove([current, old], stored)).toThrow('does not open');
    expect(openAsTrove([current], sealAsTrove([current], ki))).toBe(ki);
  });
});

describe("a task's secrets", () => {
  const ring = [new Secret('control plane')];
  const text = JSON.stringify([{ name: 'joe', password: 'hunter2' }]);

  test('open for their task only', () => {
    const sealed = sealTaskSecret(ring, 'task-1', text);
    expect(sealed).not.toContain('hunter2');
    expect(openTaskSecret(ring, 'task-1', sealed)).toBe(text);
    expect(() => openTaskSecret(ring, 'task-2', sealed)).toThrow('does not open');
  });

  test('stay as they are without a control-plane key, and still open once there is one', () => {
    expect(sealTaskSecret([], 'task-1', text)).toBe(text);
    expect(openTaskSecret(ring, 'task-1', text)).toBe(text);
  });
});
