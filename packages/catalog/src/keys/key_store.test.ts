import { createHash, randomBytes } from 'node:crypto';
import { type Clock, hkdfSha256, hmacSha256, randomText, Secret, systemClock } from '@trove/common';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  accountState,
  accountsToCheck,
  countAccount,
  forgetAccount,
  intendAccount,
} from '../operations/broker_accounts.ts';
import type { InstanceRow } from '../tables.ts';
import { type TestCatalog, testCatalog } from '../testing.ts';
import { withTransaction } from '../transaction.ts';
import { storeAdoptedUplinks } from './adopted_uplinks.ts';
import {
  acceptOnlyPendingKey,
  activateKey,
  activeKeyVersion,
  nextKeyVersion,
  readInstanceKey,
  readKeyCheckValue,
  retireKeys,
  revokePendingKeys,
  storePendingKey,
} from './key_operations.ts';
import { createKeyStore } from './key_store.ts';
import type { KeyRings } from './rings.ts';

// Each test makes databases of its own on a server that others use too.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const id = '792fa220-2a40-4831-85af-cfb0ded8033c';
const rings: KeyRings = { instance: [new Secret('instance kek')], uplink: [new Secret('uplink kek')] };
const conductorRings: KeyRings = { instance: [], uplink: rings.uplink };
const troveRings: KeyRings = { instance: [new Secret('emYjgHFqfXNB1NGehAFIUeoyw4V4XwWHEaKP')], uplink: [] };
const adopted = {
  encrypted_key: 'fVpHrkUIjVsXe7Fj7Lm4u2xnJUsWX2rMC9GL0AppILJINBZxLvkowY8FOa+asKS+8pWb4iNyukQQ4AQoLEUHUQ==',
  rpc_policy: 1,
};

function newKey(version: number) {
  const text = randomText(32);
  return {
    text,
    key: {
      instanceId: id,
      fence: 5n,
      version,
      instanceKey: new Secret(text),
      uplinkKey: new Secret(hkdfSha256(text, 'trove-rpc-v2', 'uplink', 32)),
      kcv: hmacSha256(text, 'kcv').subarray(0, 6).toString('hex'),
    },
  };
}

describe.each(['mysql', 'sqlite'] as const)('keys of guests on %s', (dialect) => {
  let catalog: TestCatalog;

  beforeEach(async () => {
    catalog = await testCatalog(dialect);
    await catalog.knex('instances').insert({ id, name: 'm20', deleted: 0, fence: 5 });
  });
  afterEach(async () => {
    await catalog.dispose();
  });

  const peerFor = (role: 'taskmanager' | 'conductor', keyRings: KeyRings) =>
    createKeyStore(catalog, keyRings, { role }).guestPeer(id);
  const instance = async (): Promise<InstanceRow> =>
    (await catalog.knex<InstanceRow>('instances').where({ id }).first()) as InstanceRow;
  const store = (version: number) => {
    const made = newKey(version);
    return withTransaction(catalog, (tx) => storePendingKey(tx, rings, made.key)).then(() => made);
  };
  const activate = (version: number, fence = 5n) =>
    withTransaction(catalog, (tx) => activateKey(tx, rings, { instanceId: id, version, fence }));

  test('a stored key is pending, then active: key and policy change in one step', async () => {
    const { text, key } = await store(1);
    expect(await instance()).toMatchObject({ encrypted_key: null, rpc_policy: 0 });
    expect(await peerFor('taskmanager', rings)).toMatchObject({
      policy: 0,
      keys: [{ version: 1, state: 'pending' }],
      pendingOnly: false,
    });
    await activate(1);
    await activate(1);
    const row = await instance();
    expect(row.rpc_policy).toBe(2);
    expect(row.encrypted_key).toMatch(/^v2\.[0-9a-f]{8}\.1\./);
    const read = await readInstanceKey(catalog.knex, rings, id, 'active');
    expect([read?.instanceKey.reveal(), read?.version]).toEqual([text, 1]);
    expect(await readKeyCheckValue(catalog.knex, { instanceId: id, version: 1 })).toBe(key.kcv);
  });

  test('an account of its own is told once it counts, and no longer once it is gone', async () => {
    const account = `guest-${id}`;
    const told = async () => (await peerFor('conductor', conductorRings))?.account;
    const change = (act: Parameters<typeof withTransaction<void>>[1]) => withTransaction(catalog, act);
    await change((tx) => intendAccount(tx, { instanceId: id, taskId: 't1', account }));
    expect([await told(), await accountState(catalog.knex, id)]).toEqual([undefined, 'intended']);
    await change((tx) => countAccount(tx, id));
    await change((tx) => intendAccount(tx, { instanceId: id, taskId: 't2', account }));
    expect([await told(), await accountState(catalog.knex, id)]).toEqual([account, 'counts']);
    const toCheck = { instanceId: id, serverId: null, atWork: false };
    expect(await accountsToCheck(catalog.knex, { after: '', limit: 10 })).toEqual([toCheck]);
    expect(await accountsToCheck(catalog.knex, { after: id, limit: 10 })).toEqual([]);
    await change((tx) => forgetAccount(tx, id));
    expect([await told(), await accountState(catalog.knex, id)]).toEqual([undefined, 'gone']);
  });

  test('a conductor with only the uplink key sees what it may know of each key, and never Ki', async () => {
    const { text } = await store(1);
    await activate(1);
    const peer = await peerFor('conductor', conductorRings);
    expect(peer?.keys.map((key) => [key.version, key.state, key.instanceKey])).toEqual([[1, 'active', undefined]]);
    expect(peer?.keys[0]?.uplinkKey.reveal()).toEqual(hkdfSha256(text, 'trove-rpc-v2', 'uplink', 32));
  });

  test('without an uplink key of its own it is derived, and the conductor opens the same', async () => {
    const alone: KeyRings = { instance: rings.instance, uplink: [] };
    const { text, key } = newKey(1);
    await withTransaction(catalog, (tx) => storePendingKey(tx, alone, key));
    expect((await peerFor('conductor', alone))?.keys[0]?.uplinkKey.reveal()).toEqual(
      hkdfSha256(text, 'trove-rpc-v2', 'uplink', 32),
    );
    await expect(peerFor('conductor', conductorRings)).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  test('while an upgrade is under way only the pending key counts; undone, the old one does', async () => {
    await store(1);
    await activate(1);
    expect(await withTransaction(catalog, (tx) => nextKeyVersion(tx, id))).toBe(2);
    await store(2);
    await withTransaction(catalog, (tx) => acceptOnlyPendingKey(tx, { instanceId: id, version: 2, fence: 5n }));
    expect(await peerFor('taskmanager', rings)).toMatchObject({
      policy: 2,
      pendingOnly: true,
      keys: [{ version: 1 }, { version: 2, state: 'pending' }],
    });
    await withTransaction(catalog, (tx) => revokePendingKeys(tx, { instanceId: id, fence: 5n, from: 2 }));
    expect(await peerFor('taskmanager', rings)).toMatchObject({
      policy: 2,
      pendingOnly: false,
      keys: [{ version: 1, state: 'active' }],
    });
    expect(await withTransaction(catalog, (tx) => nextKeyVersion(tx, id))).toBe(3);
  });

  test('without its pending key nothing is closed to the old ways in silence', async () => {
    await store(1);
    await activate(1);
    const closing = withTransaction(catalog, (tx) =>
      acceptOnlyPendingKey(tx, { instanceId: id, version: 2, fence: 5n }),
    );
    await expect(closing).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  test('the next active version takes the old one away', async () => {
    await store(1);
    await activate(1);
    const { text } = await store(2);
    await activate(2);
    const peer = await peerFor('taskmanager', rings);
    expect(peer?.keys.map((key) => [key.version, key.instanceKey?.reveal()])).toEqual([[2, text]]);
    const retired = await catalog.knex('instance_keys').where({ version: 1 }).first();
    expect(retired).toMatchObject({ state: 'retired', sealed_key: '', uplink: '' });
  });

  test('a worker whose fence has passed changes no key', async () => {
    await store(1);
    await expect(activate(1, 4n)).rejects.toMatchObject({ code: 'STALE_FENCE' });
    const late = newKey(2).key;
    await expect(
      withTransaction(catalog, (tx) => storePendingKey(tx, rings, { ...late, fence: 4n })),
    ).rejects.toMatchObject({ code: 'STALE_FENCE' });
    expect(await instance()).toMatchObject({ encrypted_key: null, rpc_policy: 0 });
    await expect(activate(9)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  test('a policy that somebody lowered in the table makes the key unreadable, not weaker', async () => {
    await store(1);
    await activate(1);
    await catalog.knex('instances').where({ id }).update({ rpc_policy: 1 });
    await expect(peerFor('taskmanager', rings)).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  test('a key that Trove made is served under policy 1 at once, and later by a conductor that cannot open Ki', async () => {
    await catalog.knex('instances').where({ id }).update(adopted);
    const cipherKey = createHash('md5').update('eRz43LwE6eaxIbBlA2pNukzPjSdcQkVi').digest('hex');
    const fromKi = (await peerFor('conductor', troveRings))?.keys[0];
    expect([fromKi?.instanceKey, fromKi?.uplinkKey.reveal().toString('ascii')]).toEqual([undefined, cipherKey]);
    expect((await peerFor('taskmanager', troveRings))?.keys[0]?.instanceKey?.reveal()).toBe(
      'eRz43LwE6eaxIbBlA2pNukzPjSdcQkVi',
    );
    const walled: KeyRings = { ...troveRings, uplink: rings.uplink };
    expect((await peerFor('conductor', conductorRings))?.keys).toEqual([]);
    expect(await storeAdoptedUplinks(catalog, walled)).toEqual({ written: 1, unreadable: [] });
    expect(await storeAdoptedUplinks(catalog, walled)).toEqual({ written: 0, unreadable: [] });
    expect((await peerFor('conductor', conductorRings))?.keys[0]?.uplinkKey.reveal()).toEqual(
      fromKi?.uplinkKey.reveal(),
    );
    expect((await peerFor('taskmanager', walled))?.keys.map((key) => key.version)).toEqual([1]);
    expect(await withTransaction(catalog, (tx) => nextKeyVersion(tx, id))).toBe(2);
  });

  test('an upgrade of a key that Trove made stores ours beside it and then instead of it', async () => {
    await catalog.knex('instances').where({ id }).update(adopted);
    const walled: KeyRings = { instance: [new Secret('own'), ...troveRings.instance], uplink: [] };
    await storeAdoptedUplinks(catalog, walled);
    const { text, key } = newKey(2);
    await withTransaction(catalog, (tx) => storePendingKey(tx, walled, key));
    expect(await peerFor('taskmanager', walled)).toMatchObject({
      policy: 1,
      keys: [{ version: 1 }, { version: 2, state: 'pending' }],
    });
    await withTransaction(catalog, (tx) => activateKey(tx, walled, key));
    const peer = await peerFor('taskmanager', walled);
    expect([peer?.policy, peer?.keys.map((one) => one.instanceKey?.reveal())]).toEqual([2, [text]]);
  });

  test("with at_rest_format v1 the instance's key is written as Trove can read it", async () => {
    const { text, key } = newKey(1);
    const asTrove: KeyRings = { ...rings, format: 'v1' };
    await withTransaction(catalog, async (tx) => {
      await storePendingKey(tx, asTrove, key);
      await activateKey(tx, asTrove, key);
    });
    expect((await instance()).encrypted_key).toMatch(/^[A-Za-z0-9+/]+=*$/);
    expect((await peerFor('taskmanager', asTrove))?.keys[0]?.instanceKey?.reveal()).toBe(text);
  });

  test('of a deleted instance, or one whose keys were retired, nothing opens', async () => {
    await store(1);
    await activate(1);
    await withTransaction(catalog, (tx) => retireKeys(tx, { instanceId: id, fence: 5n }));
    expect((await peerFor('taskmanager', rings))?.keys).toEqual([]);
    expect(await activeKeyVersion(catalog.knex, id)).toBeNull();
    await catalog.knex('instances').where({ id }).update({ deleted: 1 });
    expect(await peerFor('taskmanager', rings)).toBeUndefined();
  });

  test('a guest is read again after 5 s, and at once when it is forgotten', async () => {
    let now = 0;
    const clock: Clock = { ...systemClock, monotonic: () => now };
    const keyStore = createKeyStore(catalog, rings, { role: 'taskmanager', clock });
    expect((await keyStore.guestPeer(id))?.bootNonce).toBeNull();
    const nonce = randomBytes(16);
    await catalog
      .knex('instance_reports')
      .insert({ instance_id: id, boot_nonce: nonce.toString('hex'), sequence: 2n ** 60n });
    now = 4999;
    expect((await keyStore.guestPeer(id))?.bootNonce).toBeNull();
    now = 5000;
    expect(await keyStore.guestPeer(id)).toMatchObject({ bootNonce: nonce, sequence: 2n ** 60n });
    await catalog.knex('instance_reports').update({ sequence: 7 });
    keyStore.forget(id);
    expect((await keyStore.guestPeer(id))?.sequence).toBe(7n);
  });
});
