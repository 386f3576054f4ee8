import type { TestCatalog } from '@trove/catalog/testing';
import { newUuid } from '@trove/common';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import {
  ended,
  faultOf,
  file,
  fileCreate,
  type House,
  openHouse,
  openTestCatalog,
  UPGRADE,
} from '../../../test/house.ts';

let catalog: TestCatalog;
let house: House;
beforeAll(async () => {
  catalog = await openTestCatalog('sqlite');
});
afterEach(() => house.dispose());
afterAll(() => catalog.dispose());

test('a driver without snapshots refuses another version before anything is stopped, and takes the same one', async () => {
  house = openHouse(catalog);
  await house.taskmanager({ compute: { ...house.world, canSnapshot: false } });
  const { id, taskId } = await fileCreate(house);
  expect((await ended(house, taskId)).state).toBe('done');
  house.world.calls.length = 0;
  const other = { ...UPGRADE, datastore_version_id: newUuid() };
  expect((await ended(house, await file(house, 'upgrade_instance', id, other))).state).toBe('failed');
  expect(await faultOf(house, id)).toContain('Volumes cannot be snapshotted here');
  expect([house.world.calls, [...house.world.servers.values()].map(({ running }) => running)]).toEqual([[], [true]]);
  expect((await ended(house, await file(house, 'upgrade_instance', id, UPGRADE))).state).toBe('done');
  expect(house.world.calls.length).toBeGreaterThan(0);
  expect(await catalog.knex('resources').where({ instance_id: id, kind: 'snapshot' })).toEqual([]);
});
