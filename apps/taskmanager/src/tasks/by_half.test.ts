import type { TestCatalog } from '@trove/catalog/testing';
import { TroveError } from '@trove/common';
import { TASK_STATUSES } from '@trove/contracts';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  ended,
  file,
  fileCreate,
  type House,
  instanceOf,
  openHouse,
  openTestCatalog,
  UPGRADE,
} from '../../test/house.ts';

let catalog: TestCatalog;
let house: House;
beforeAll(async () => {
  catalog = await openTestCatalog('sqlite');
});
beforeEach(() => {
  house = openHouse(catalog);
});
afterEach(() => house.dispose());
afterAll(() => catalog.dispose());

const noAnswer = () => ({ times: 2, error: new TroveError('COMPUTE_ERROR', 'no answer', { retryable: true }) });

test('a server that was made or rebuilt by half is finished', async () => {
  await house.taskmanager();
  house.world.scripted.set('startServer', noAnswer());
  const { id, taskId } = await fileCreate(house);
  expect((await ended(house, taskId)).state).toBe('done');
  expect([house.world.servers.size, (await instanceOf(house, id)).server_status]).toEqual([1, 'ACTIVE']);
  house.world.scripted.set('startServer', noAnswer());
  expect((await ended(house, await file(house, 'upgrade_instance', id, UPGRADE))).state).toBe('done');
  expect([house.world.servers.size, (await instanceOf(house, id)).server_status]).toEqual([1, 'ACTIVE']);
});

test('an instance shows that it is being deleted, and that this failed, whatever the one before it has written', async () => {
  house.world.guestFaults.deaf = true;
  house.world.scripted.set('deleteVolume', { times: 100, error: new TroveError('COMPUTE_ERROR', 'host is away') });
  const { id } = await fileCreate(house);
  await house.taskmanager();
  while (house.world.servers.size === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  expect((await ended(house, await file(house, 'delete_instance', id))).state).toBe('failed');
  const { code } = TASK_STATUSES.DELETING;
  expect(await instanceOf(house, id)).toMatchObject({ deleted: 0, task_id: code, server_status: 'ERROR' });
});
