import { newUuid, Secret } from '@trove/common';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { insertInstance } from '../operations/insert_instance.ts';
import type { KeyCheckRow } from '../tables.ts';
import { type TestCatalog, testCatalog } from '../testing.ts';
import { withTransaction } from '../transaction.ts';
import { uplinkOf } from './guest_key.ts';
import { acceptRings, checkRings, claimRings } from './key_checks.ts';
import { activateKey, storePendingKey } from './key_operations.ts';
import { keyStatus, rewrapKeys } from './key_status.ts';
import type { AllRings } from './sealed_cells.ts';

const rings = (...names: string[]): AllRings => ({
  control: names.map((name) => new Secret(`${name} k1`)),
  instance: names.map((name) => new Secret(`${name} kek`)),
  uplink: names.map((name) => new Secret(`${name} uplink kek`)),
});
const RINGS = {
  taskmanager_rpc_encr_key: 'control',
  inst_rpc_key_encr_key: 'instance',
  inst_rpc_uplink_encr_key: 'uplink',
} as const;
const SETTINGS = Object.keys(RINGS) as (keyof typeof RINGS)[];
const refusalOf = (setting: string) => ({
  code: 'CONFIG_INVALID',
  message: expect.stringContaining(`${setting} holds none of the keys`) as string,
});

describe.each(['mysql', 'sqlite'] as const)('whether keys are those of this catalog, on %s', (dialect) => {
  let catalog: TestCatalog;

  beforeAll(async () => {
    catalog = await testCatalog(dialect);
  });
  afterAll(() => catalog.dispose());
  beforeEach(async () => {
    for (const table of ['key_checks', 'instance_keys']) await catalog.knex(table).delete();
    await catalog.knex('instances').update({ encrypted_key: null });
  });

  const withKeyUnder = async (of: AllRings): Promise<void> => {
    const instanceId = newUuid();
    const row = { name: 'one', tenant_id: 'p', flavor_id: '1', volume_size: 1, datastore_version_id: null };
    const facts = { instanceId, version: 1, fence: 0n, kcv: '0'.repeat(12) };
    const instanceKey = new Secret('Ki');
    await withTransaction(catalog, async (tx) => {
      await insertInstance(tx, { id: instanceId, ...row, region_id: null, access: null });
      await storePendingKey(tx, of, { ...facts, instanceKey, uplinkKey: uplinkOf(instanceKey, 2) });
      await activateKey(tx, of, facts);
    });
  };

  test.each(SETTINGS)('the first keys count from then on: another %s is refused by name', async (setting) => {
    await claimRings(catalog, rings('ours'));
    await claimRings(catalog, rings('ours'));
    const wrong = { ...rings('ours'), [RINGS[setting]]: [new Secret('another')] };
    await expect(claimRings(catalog, wrong)).rejects.toMatchObject(refusalOf(setting));
    await expect(checkRings(catalog, wrong)).rejects.toMatchObject(refusalOf(setting));
    await expect(checkRings(catalog, { [RINGS[setting]]: [new Secret('another')] })).rejects.toMatchObject(
      refusalOf(setting),
    );
    await expect(checkRings(catalog, rings('ours'))).resolves.toBeUndefined();
  });

  test('of two that come first at once with different keys one is refused, and only one key counts', async () => {
    const both = await Promise.allSettled([claimRings(catalog, rings('one')), claimRings(catalog, rings('two'))]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await catalog.knex<KeyCheckRow>('key_checks').pluck('setting')).toHaveLength(3);
  });

  test('in a catalog of an earlier release the first to come has to open what rests there', async () => {
    await withKeyUnder(rings('ours'));
    await expect(claimRings(catalog, rings('wrong'))).rejects.toMatchObject(refusalOf('inst_rpc_key_encr_key'));
    expect(await catalog.knex('key_checks').select()).toEqual([]);
    await claimRings(catalog, rings('ours'));
    await expect(claimRings(catalog, rings('wrong'))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('who has only some of the keys is asked about those', async () => {
    await claimRings(catalog, rings('ours'));
    const { control, uplink } = rings('ours');
    await checkRings(catalog, { control });
    await checkRings(catalog, { uplink });
    await checkRings(catalog, {});
  });

  test('through a change of keys, in its order, nobody is refused; who missed it is', async () => {
    await claimRings(catalog, rings('old'));
    for (const now of [rings('old', 'new'), rings('new', 'old')]) await claimRings(catalog, now);
    expect(await rewrapKeys(catalog, rings('new', 'old'))).toEqual({ moved: 3, left: 0, unreadable: 0 });
    const status = await keyStatus(catalog, rings('new', 'old'));
    expect(status.filter(({ rows }) => rows > 0).map(({ place }) => place)).toEqual([1, 1, 1]);
    await claimRings(catalog, rings('new'));
    await expect(claimRings(catalog, rings('old'))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('keys that are lost are given up where an operator says so', async () => {
    await withKeyUnder(rings('lost'));
    await claimRings(catalog, rings('lost'));
    const { control } = rings('lost');
    const now = { ...rings('new'), control };
    await expect(claimRings(catalog, now)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect([...(await acceptRings(catalog, now))].sort()).toEqual([
      'inst_rpc_key_encr_key',
      'inst_rpc_uplink_encr_key',
    ]);
    await claimRings(catalog, now);
    expect(await acceptRings(catalog, now)).toEqual([]);
    await expect(claimRings(catalog, rings('lost'))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
