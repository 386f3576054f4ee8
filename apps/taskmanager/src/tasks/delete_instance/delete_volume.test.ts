import { intendResource, type ResourceRow, withTransaction } from '@trove/catalog';
import { newUuid } from '@trove/common';
import { expect, test } from 'vitest';
import { ended, file, fileCreate, instanceOf, openHouse, openTestCatalog } from '../../../test/house.ts';

test('a delete takes away a snapshot that was only intended when its maker died', async () => {
  const catalog = await openTestCatalog('sqlite');
  const house = openHouse(catalog);
  try {
    const { id, taskId } = await fileCreate(house);
    await house.taskmanager();
    await ended(house, taskId);
    const { volume_id } = await instanceOf(house, id);
    const token = newUuid();
    await withTransaction(catalog, (tx) =>
      intendResource(tx, { token, kind: 'snapshot', instanceId: id, taskId: newUuid() }),
    );
    await house.world.snapshotVolume(volume_id ?? '', token, new AbortController().signal);
    expect((await ended(house, await file(house, 'delete_instance', id))).state).toBe('done');
    expect(house.world.snapshots.size).toBe(0);
    const row = await catalog.knex<ResourceRow>('resources').where({ token }).first('state');
    expect(row).toEqual({ state: 'gone' });
  } finally {
    await house.dispose();
    await catalog.dispose();
  }
});
