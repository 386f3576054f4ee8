import { recordFault, reserveGrowth, withTransaction } from '@trove/catalog';
import type { TestCatalog } from '@trove/catalog/testing';
import type { JsonObject } from '@trove/tasks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ended, faultOf, file, fileCreate, type House, openHouse, openTestCatalog, UPGRADE } from '../../test/house.ts';
import { FLAVOR } from '../../test/world.ts';

describe.each(['mysql', 'sqlite'] as const)('the fault that an instance shows on %s', (dialect) => {
  let house: House;
  let catalog: TestCatalog;
  let id: string;
  beforeAll(async () => {
    catalog = await openTestCatalog(dialect);
  });
  beforeEach(() => {
    house = openHouse(catalog);
  });
  afterEach(() => house.dispose());
  afterAll(() => catalog.dispose());

  async function created(secure = true): Promise<void> {
    await house.taskmanager({ secure });
    const made = await fileCreate(house);
    expect((await ended(house, made.taskId)).state).toBe('done');
    ({ id } = made);
  }
  const run = async (kind: string, params?: JsonObject): Promise<string> =>
    (await ended(house, await file(house, kind, id, params))).state;
  const fail = (kind: string): Promise<void> =>
    withTransaction(catalog, (tx) => recordFault(tx, { instanceId: id, message: 'no', details: `${kind}: no` }));

  test.each(['restart_instance', 'resize_volume', 'upgrade_instance'])(
    'is gone when a %s has succeeded',
    async (kind) => {
      await created();
      await fail('upgrade_instance');
      const amounts = { instances: 0, ram: 0, volumes: 2 };
      const defaults = { instances: -1, ram: -1, volumes: -1 };
      const request = { projectId: house.project, instanceId: id, amounts, defaults, ramOf: () => FLAVOR.ram };
      if (kind === 'resize_volume') await withTransaction(catalog, (tx) => reserveGrowth(tx, request));
      const params = { ...UPGRADE, volume_size: 5, previous_size: 3 };
      expect(await run(kind, params)).toBe('done');
      expect(await faultOf(house, id)).toBeUndefined();
    },
  );

  test('says why its key was not changed, until it is; no tenant has asked for that, so nothing else is taken back', async () => {
    await created(false);
    expect(await run('rotate_key')).toBe('failed');
    expect(await faultOf(house, id)).toContain('has no key that could be changed');
    await house.dispose();
    house = openHouse(catalog);
    await created();
    await fail('upgrade_instance');
    expect(await run('rotate_key')).toBe('done');
    expect(await faultOf(house, id)).toBe('no');
    await fail('rotate_key');
    expect(await run('rotate_key')).toBe('done');
    expect(await faultOf(house, id)).toBeUndefined();
  });
});
