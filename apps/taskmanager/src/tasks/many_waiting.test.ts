import type { TaskRow } from '@trove/catalog';
import type { TestCatalog } from '@trove/catalog/testing';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ended, file, fileCreate, type House, openHouse, openTestCatalog } from '../../test/house.ts';

const BOOTING = 60;
const QUICK = 5;

let catalog: TestCatalog;
let house: House;
beforeAll(async () => {
  catalog = await openTestCatalog('mysql');
});
afterEach(() => house.dispose());
afterAll(() => catalog.dispose());

async function atStep(step: string): Promise<number> {
  const row = await catalog
    .knex<TaskRow>('tasks')
    .where({ step })
    .whereIn('state', ['waiting', 'running'])
    .count({ n: '*' })
    .first();
  return Number(row?.n);
}

test('sixty guests that take their time to boot keep no other task waiting', { timeout: 600_000 }, async () => {
  house = openHouse(catalog);
  const first = await house.taskmanager();
  const made = await fileCreate(house);
  expect((await ended(house, made.taskId)).state).toBe('done');
  await first.close();
  house.world.guestFaults.deaf = true;
  for (let index = 0; index < BOOTING; index += 1) await fileCreate(house);
  // However busy the machine is, they are still waiting at the end.
  const hour = catalog.knex.raw('deadline + ?', [3_600_000_000]);
  await catalog.knex('tasks').where({ state: 'pending' }).update({ deadline: hour });
  await house.taskmanager();
  await expect.poll(() => atStep('await_agent'), { timeout: 400_000, interval: 500 }).toBe(BOOTING);
  for (let index = 0; index < QUICK; index += 1) {
    const sizes = { volume_size: 4 + index, previous_size: 3 + index };
    const taskId = await file(house, 'resize_volume', made.id, sizes);
    expect((await ended(house, taskId)).state, 'it would wait for minutes behind sixty questions').toBe('done');
  }
  expect(await atStep('await_agent')).toBe(BOOTING);
});
