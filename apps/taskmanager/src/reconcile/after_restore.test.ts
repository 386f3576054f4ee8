import { afterRestore } from '@trove/catalog';
import { expect, test } from 'vitest';
import { ended, file, fileCreate, instanceOf, openHouse, openTestCatalog } from '../../test/house.ts';

test.each(['mysql', 'sqlite'] as const)(
  'a create that was under way at the backup takes nothing away after the restore, on %s',
  async (dialect) => {
    const catalog = await openTestCatalog(dialect);
    const house = openHouse(catalog);
    try {
      const first = await house.taskmanager();
      const { id, taskId } = await fileCreate(house);
      await ended(house, taskId);
      expect((await ended(house, await file(house, 'restart_instance', id))).state).toBe('done');
      await first.close();
      // As the backup has it: the create waits, long past its deadline by now, and no restart was ever asked for.
      await catalog.knex('tasks').where({ id: taskId }).update({ state: 'waiting', wake_at: 1, deadline: 1 });
      await catalog.knex('instances').where({ id }).update({ active_task_id: taskId, fence: '1' });
      expect(await afterRestore(catalog)).toBe(1);
      await house.taskmanager();
      expect((await ended(house, taskId)).state).toBe('failed');
      expect((await ended(house, await file(house, 'restart_instance', id))).state).toBe('done');
      expect([house.world.servers.size, house.world.volumes.size]).toEqual([1, 1]);
      expect(await instanceOf(house, id)).toMatchObject({ deleted: 0, active_task_id: null });
      expect((await catalog.knex('reconciler').first('held_since')).held_since).not.toBeNull();
    } finally {
      await house.dispose();
      await catalog.dispose();
    }
  },
);
