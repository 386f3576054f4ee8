import type { ResourceRow } from '@trove/catalog';
import { TroveError } from '@trove/common';
import { expect, test } from 'vitest';
import { ended, file, fileCreate, instanceOf, openHouse, openTestCatalog, UPGRADE } from '../../../test/house.ts';

test('an upgrade whose snapshot cannot be dropped is done; what is left is written down for the reconciler', async () => {
  const catalog = await openTestCatalog('sqlite');
  const house = openHouse(catalog);
  await house.taskmanager();
  const { id, taskId } = await fileCreate(house);
  await ended(house, taskId);
  house.world.scripted.set('deleteSnapshot', { times: 1, error: new TroveError('COMPUTE_ERROR', 'stays') });
  const upgrade = await file(house, 'upgrade_instance', id, UPGRADE);
  expect((await ended(house, upgrade)).state).toBe('done');
  expect(await instanceOf(house, id)).toMatchObject({ server_status: 'ACTIVE', task_id: 1 });
  expect(await catalog.knex<ResourceRow>('resources').where({ kind: 'snapshot' }).pluck('state')).toEqual(['deleting']);
  const step = { task_id: upgrade, name: 'drop_snapshot' };
  expect(await catalog.knex('task_steps').where(step).pluck('state')).toEqual(['failed']);
  await house.dispose();
  await catalog.dispose();
});
