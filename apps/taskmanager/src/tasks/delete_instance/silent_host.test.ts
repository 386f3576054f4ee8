import { type ResourceRow, resourcesOfInstance } from '@trove/catalog';
import { TroveError } from '@trove/common';
import { expect, test } from 'vitest';
import { ended, file, fileCreate, openHouse, openTestCatalog } from '../../../test/house.ts';

/** What looks by token asks every host, and so fails while one of them, any of them, is silent. */
const BY_TOKEN = ['findServers', 'findVolume', 'findSnapshot'] as const;

test('an instance whose parts are known is deleted while a host that has none of them is silent', async () => {
  const catalog = await openTestCatalog('sqlite');
  const house = openHouse(catalog);
  try {
    const { id, taskId } = await fileCreate(house);
    await house.taskmanager();
    await ended(house, taskId);
    for (const look of BY_TOKEN) {
      house.world[look] = async () => {
        throw new TroveError('COMPUTE_ERROR', 'A host does not answer.', { retryable: true });
      };
    }
    expect((await ended(house, await file(house, 'delete_instance', id))).state).toBe('done');
    expect([house.world.servers.size, house.world.volumes.size]).toEqual([0, 0]);
    expect(await resourcesOfInstance(catalog.knex, id)).toEqual([]);
    const kinds = await catalog.knex<ResourceRow>('resources').where({ instance_id: id, state: 'gone' }).pluck('kind');
    expect(kinds).toEqual(expect.arrayContaining(['server', 'volume', 'queue']));
  } finally {
    await house.dispose();
    await catalog.dispose();
  }
});
