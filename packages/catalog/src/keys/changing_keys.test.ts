import { hkdfSha256, hmacSha256, randomText, Secret } from '@trove/common';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { recordHello } from '../operations/record_hello.ts';
import type { InstanceKeyRow } from '../tables.ts';
import { type TestCatalog, testCatalog } from '../testing.ts';
import { withTransaction } from '../transaction.ts';
import {
  acceptOnlyPendingKey,
  activateKey,
  agreedKeyVersion,
  beginBootstrap,
  injectedKeyVersion,
  isBootstrapKey,
  nextKeyVersion,
  type PendingKey,
  readInstanceKey,
  revokePendingKeys,
  storePendingKey,
} from './key_operations.ts';
import { createKeyStore } from './key_store.ts';
import type { KeyRings } from './rings.ts';
import { unsettledKeys } from './unsettled_keys.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const id = '792fa220-2a40-4831-85af-cfb0ded8033c';
const fenced = { instanceId: id, fence: 5n };
const rings: KeyRings = { instance: [new Secret('instance kek')], uplink: [new Secret('uplink kek')] };

describe.each(['mysql', 'sqlite'] as const)('keys that are being changed, on %s', (dialect) => {
  let catalog: TestCatalog;
  beforeEach(async () => {
    catalog = await testCatalog(dialect);
    await catalog.knex('instances').insert({ id, name: 'm20', deleted: 0, fence: 5 });
  });
  afterEach(() => catalog.dispose());

  const store = async (version: number, more: Pick<PendingKey, 'injected' | 'under'> = {}): Promise<string> => {
    const text = randomText(32);
    const kcv = hmacSha256(text, 'kcv').subarray(0, 6).toString('hex');
    const uplinkKey = new Secret(hkdfSha256(text, 'trove-rpc-v2', 'uplink', 32));
    const key = { ...fenced, version, instanceKey: new Secret(text), uplinkKey, kcv, ...more };
    await withTransaction(catalog, (tx) => storePendingKey(tx, rings, key));
    return text;
  };
  const activate = (version: number) =>
    withTransaction(catalog, (tx) => activateKey(tx, rings, { ...fenced, version }));
  const close = (version: number) => withTransaction(catalog, (tx) => acceptOnlyPendingKey(tx, { ...fenced, version }));
  const peer = async () => {
    const found = await createKeyStore(catalog, rings, { role: 'taskmanager' }).guestPeer(id);
    return found?.keys.map((key) => [key.version, key.state, key.bootstrap]);
  };
  const live = () =>
    catalog.knex<InstanceKeyRow>('instance_keys').whereNot({ state: 'retired' }).orderBy('version').pluck('version');
  const hello = (keyVersion: number) =>
    withTransaction(catalog, (tx) =>
      recordHello(tx, { instanceId: id, expectedNonce: null, bootNonce: 'ab'.repeat(16), sequence: 0n, keyVersion }),
    );

  test('an injected key is one for half an hour, from the moment that it goes into a server', async () => {
    await store(1, { injected: true });
    await activate(1);
    expect(await peer()).toEqual([[1, 'active', 'valid']]);
    await catalog.knex('instance_keys').update({ bootstrap_until: 1 });
    expect(await peer()).toEqual([[1, 'active', 'over']]);
    expect(await unsettledKeys(catalog)).toEqual([{ instanceId: id, version: 1, state: 'active', injected: 'over' }]);
    const until = await withTransaction(catalog, (tx) => beginBootstrap(tx, { ...fenced, version: 1 }));
    expect(Math.abs((until ?? 0) - Date.now() - 1_800_000)).toBeLessThan(300_000);
    expect([await peer(), await isBootstrapKey(catalog.knex, { instanceId: id, version: 1 })]).toEqual([
      [[1, 'active', 'valid']],
      true,
    ]);
    const late = withTransaction(catalog, (tx) => beginBootstrap(tx, { instanceId: id, fence: 4n, version: 1 }));
    await expect(late).rejects.toMatchObject({ code: 'STALE_FENCE' });
  });

  test('what is agreed under it is pending without an end, and takes its place whole', async () => {
    await store(1, { injected: true });
    await activate(1);
    const text = await store(2, { under: 1 });
    expect(await peer()).toEqual([
      [1, 'active', 'valid'],
      [2, 'pending', undefined],
    ]);
    expect(await agreedKeyVersion(catalog.knex, id, 1)).toBe(2);
    await activate(2);
    expect([await peer(), await unsettledKeys(catalog)]).toEqual([[[2, 'active', undefined]], []]);
    expect((await readInstanceKey(catalog.knex, rings, id, 'active'))?.instanceKey.reveal()).toBe(text);
    expect(await withTransaction(catalog, (tx) => beginBootstrap(tx, { ...fenced, version: 2 }))).toBeNull();
  });

  test('a second agreement under the same key takes the place of the first, and nothing else does', async () => {
    await store(1);
    await activate(1);
    await store(2, { under: 1 });
    const text = await store(3, { under: 1 });
    expect([await live(), await agreedKeyVersion(catalog.knex, id, 1)]).toEqual([[1, 3], 3]);
    await store(4, { injected: true });
    expect(await live()).toEqual([1, 3, 4]);
    expect((await readInstanceKey(catalog.knex, rings, id, 3))?.instanceKey.reveal()).toBe(text);
    expect(await readInstanceKey(catalog.knex, rings, id, 2)).toBeUndefined();
  });

  test('in an upgrade the injected key and what is agreed under it count, what an earlier rotation has left does not', async () => {
    await store(1);
    await activate(1);
    await store(2, { under: 1 });
    await store(3, { injected: true });
    expect(await injectedKeyVersion(catalog.knex, id)).toBe(3);
    await close(3);
    await store(4, { under: 3 });
    expect(await peer()).toEqual([
      [1, 'active', undefined],
      [3, 'pending', 'valid'],
      [4, 'pending', undefined],
    ]);
    expect([await hello(1), await hello(2), await hello(3)]).toEqual(['overtaken', 'overtaken', 'stored']);
    await catalog.knex('instance_reports').update({ boot_nonce: null });
    expect(await hello(4)).toBe('stored');
    await activate(4);
    expect([await live(), await nextKeyVersion(catalog.knex, id)]).toEqual([[4], 5]);
  });

  test('an upgrade that is taken back takes its own keys away, and leaves what its guest may come to hold', async () => {
    await store(1);
    await activate(1);
    await store(2, { under: 1 });
    await store(3, { injected: true });
    await close(3);
    await store(4, { under: 3 });
    await withTransaction(catalog, (tx) => revokePendingKeys(tx, { ...fenced }));
    expect([await live(), await agreedKeyVersion(catalog.knex, id, 1)]).toEqual([[1, 2], 2]);
    await withTransaction(catalog, (tx) => revokePendingKeys(tx, { ...fenced }));
    expect(await live()).toEqual([1, 2]);
    expect(await peer()).toEqual([
      [1, 'active', undefined],
      [2, 'pending', undefined],
    ]);
  });
});
