import { newUuid, Secret } from '@trove/common';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { insertInstance } from '../operations/insert_instance.ts';
import type { InstanceRow, TaskRow, TaskStepRow } from '../tables.ts';
import { type TestCatalog, testCatalog } from '../testing.ts';
import { withTransaction } from '../transaction.ts';
import { storeAdoptedUplinks } from './adopted_uplinks.ts';
import { uplinkOf } from './guest_key.ts';
import { activateKey, storePendingKey } from './key_operations.ts';
import { keyStatus, rewrapKeys } from './key_status.ts';
import { createKeyStore } from './key_store.ts';
import type { AllRings } from './sealed_cells.ts';
import { openTaskSecret, sealTaskSecret } from './task_secret.ts';

const [old, fresh] = ['old', 'new'].map((age) => ({
  control: new Secret(`${age} k1`),
  instance: new Secret(`${age} kek`),
  uplink: new Secret(`${age} uplink kek`),
})) as [Record<Kind, Secret>, Record<Kind, Secret>];
type Kind = 'control' | 'instance' | 'uplink';

const ringsOf = (...keys: Record<Kind, Secret>[]): AllRings => ({
  control: keys.map((key) => key.control),
  instance: keys.map((key) => key.instance),
  uplink: keys.map((key) => key.uplink),
});
const TROVE_KEK = new Secret('emYjgHFqfXNB1NGehAFIUeoyw4V4XwWHEaKP');
const TROVE_KEY = 'fVpHrkUIjVsXe7Fj7Lm4u2xnJUsWX2rMC9GL0AppILJINBZxLvkowY8FOa+asKS+8pWb4iNyukQQ4AQoLEUHUQ==';

describe.each(['mysql', 'sqlite'] as const)('the rings of keys on %s', (dialect) => {
  let catalog: TestCatalog;

  beforeAll(async () => {
    catalog = await testCatalog(dialect);
  });
  afterAll(() => catalog.dispose());
  beforeEach(async () => {
    for (const table of ['task_steps', 'tasks', 'instance_keys']) await catalog.knex(table).delete();
    await catalog.knex('instances').update({ encrypted_key: null });
  });

  const instance = async (): Promise<string> => {
    const id = newUuid();
    const row = { name: 'one', tenant_id: 'p', flavor_id: '1', volume_size: 1, datastore_version_id: null };
    await withTransaction(catalog, (tx) => insertInstance(tx, { id, ...row, region_id: null, access: null }));
    return id;
  };

  /** With an active key and a pending one. */
  const keyed = async (rings: AllRings): Promise<string> => {
    const instanceId = await instance();
    for (const version of [1, 2]) {
      const instanceKey = new Secret(`Ki of ${instanceId} ${version}`);
      const facts = { instanceId, version, fence: 0n, kcv: '0'.repeat(12) };
      await withTransaction(catalog, async (tx) => {
        await storePendingKey(tx, rings, { ...facts, instanceKey, uplinkKey: uplinkOf(instanceKey, 2) });
        if (version === 1) await activateKey(tx, rings, facts);
      });
    }
    return instanceId;
  };

  const taskWithSecrets = async (rings: AllRings, state = 'running'): Promise<string> => {
    const id = newUuid();
    const seal = (text: string): string => sealTaskSecret(rings.control, id, text);
    const row = { instance_id: newUuid(), project_id: 'p', deadline: 1, code_version: 1, created: 1, updated: 1 };
    const params = JSON.stringify({ users: seal('users'), note: 'v2.not sealed', size: 3 });
    await catalog.knex('tasks').insert({ id, kind: 'create_instance', state, params, ...row });
    const output = JSON.stringify({ password: seal('password'), left: 'as it is' });
    await catalog.knex('task_steps').insert({ task_id: id, name: 's', state: 'done', token: 't', started: 1, output });
    return id;
  };

  const keysOf = async (rings: AllRings, id: string): Promise<(string | undefined)[]> =>
    (await createKeyStore(catalog, rings, { role: 'taskmanager' }).guestPeer(id))?.keys.map(({ instanceKey }) =>
      instanceKey?.reveal(),
    ) ?? [];

  test('rewrap moves every row to the first keys, after which the old ones open nothing and may go', async () => {
    const ids = [await keyed(ringsOf(old)), await keyed(ringsOf(old)), await keyed(ringsOf(fresh, old))];
    const task = await taskWithSecrets(ringsOf(old));
    const both = ringsOf(fresh, old);
    expect(await rewrapKeys(catalog, both)).toEqual({ moved: 12, left: 0, unreadable: 0 });
    expect(await rewrapKeys(catalog, both)).toEqual({ moved: 0, left: 0, unreadable: 0 });
    for (const id of ids) expect(await keysOf(ringsOf(fresh), id)).toEqual([1, 2].map((v) => `Ki of ${id} ${v}`));
    const conductor = createKeyStore(catalog, { instance: [], uplink: [fresh.uplink] }, { role: 'conductor' });
    expect((await conductor.guestPeer(ids[0] ?? ''))?.keys).toHaveLength(2);
    const params = JSON.parse((await catalog.knex<TaskRow>('tasks').where({ id: task }).first())?.params ?? '');
    expect(openTaskSecret([fresh.control], task, params.users)).toBe('users');
    expect(params).toMatchObject({ note: 'v2.not sealed', size: 3 });
    const step = await catalog.knex<TaskStepRow>('task_steps').where({ task_id: task }).first();
    expect(openTaskSecret([fresh.control], task, JSON.parse(step?.output ?? '').password)).toBe('password');
    expect((await keyStatus(catalog, both)).filter(({ place }) => place === 2).map(({ rows }) => rows)).toEqual([
      0, 0, 0,
    ]);
    await expect(keysOf(ringsOf(old), ids[0] ?? '')).rejects.toThrow('does not open');
  });

  test('stopped in the middle it goes on where it was, and touches nothing that has moved', async () => {
    for (let made = 0; made < 3; made += 1) await keyed(ringsOf(old));
    const both = ringsOf(fresh, old);
    const stop = rewrapKeys(catalog, both, () => {
      throw new Error('killed');
    });
    await expect(stop).rejects.toThrow('killed');
    const between = await catalog.knex<InstanceRow>('instances').whereNotNull('encrypted_key').orderBy('id');
    expect(await rewrapKeys(catalog, both)).toMatchObject({ left: 0, unreadable: 0 });
    const after = await catalog.knex<InstanceRow>('instances').whereNotNull('encrypted_key').orderBy('id');
    expect(after.map((row) => row.encrypted_key)).toEqual(between.map((row) => row.encrypted_key));
  });

  test('status counts what rests under each key, and shows what no ring has a key for', async () => {
    await keyed(ringsOf(old));
    await keyed(ringsOf(fresh));
    await taskWithSecrets(ringsOf(old));
    await taskWithSecrets(ringsOf(old), 'done');
    const shown = (await keyStatus(catalog, ringsOf(fresh, old)))
      .filter(({ derived }) => !derived)
      .map(({ setting, place, rows }) => [setting, place, rows]);
    expect(shown).toEqual([
      ['taskmanager_rpc_encr_key', 1, 0],
      ['taskmanager_rpc_encr_key', 2, 2],
      ['inst_rpc_key_encr_key', 1, 3],
      ['inst_rpc_key_encr_key', 2, 3],
      ['inst_rpc_uplink_encr_key', 1, 2],
      ['inst_rpc_uplink_encr_key', 2, 2],
    ]);
    const lost = (await keyStatus(catalog, ringsOf(fresh))).filter(({ place }) => place === null);
    expect(lost.map(({ setting, rows }) => [setting, rows])).toEqual([
      ['taskmanager_rpc_encr_key', 2],
      ['inst_rpc_key_encr_key', 3],
      ['inst_rpc_uplink_encr_key', 2],
    ]);
    expect(await rewrapKeys(catalog, ringsOf(fresh))).toEqual({ moved: 0, left: 0, unreadable: 7 });
  });

  test("a key that Trove made moves to our form under our key, and stays Trove's where that is configured", async () => {
    const adopt = async (rings: AllRings): Promise<string> => {
      const id = await instance();
      await catalog.knex('instances').where({ id }).update({ encrypted_key: TROVE_KEY, rpc_policy: 1 });
      await storeAdoptedUplinks(catalog, rings);
      return id;
    };
    const rings = { ...ringsOf(fresh), instance: [fresh.instance, TROVE_KEK] };
    const first = await adopt(rings);
    expect(await rewrapKeys(catalog, { ...rings, format: 'v1' })).toMatchObject({ moved: 1, left: 0 });
    expect(await rewrapKeys(catalog, { ...rings, format: 'v1' })).toMatchObject({ moved: 0, left: 0 });
    expect((await catalog.knex<InstanceRow>('instances').where({ id: first }).first())?.encrypted_key).not.toMatch(
      /^v2/,
    );
    expect(await rewrapKeys(catalog, rings)).toMatchObject({ moved: 1, left: 0 });
    expect(await keysOf(ringsOf(fresh), first)).toEqual(['eRz43LwE6eaxIbBlA2pNukzPjSdcQkVi']);
  });

  test('uplinks under the derived key move to one of their own, and until then open under both', async () => {
    const derived: AllRings = { ...ringsOf(fresh), uplink: [] };
    const id = await keyed(derived);
    const conductor = { instance: [fresh.instance], uplink: [fresh.uplink] };
    const peer = (rings: typeof conductor | { instance: Secret[]; uplink: Secret[] }) =>
      createKeyStore(catalog, rings, { role: 'conductor' }).guestPeer(id);
    expect((await peer(conductor))?.keys).toHaveLength(2);
    expect(await rewrapKeys(catalog, ringsOf(fresh))).toEqual({ moved: 2, left: 0, unreadable: 0 });
    expect((await peer({ instance: [], uplink: [fresh.uplink] }))?.keys).toHaveLength(2);
  });
});
