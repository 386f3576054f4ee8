import { afterRestore } from '@trove/catalog';
import { newUuid } from '@trove/common';
import { TASK_STATUSES } from '@trove/contracts';
import { guestAccount } from '@trove/crypto-rpc';
import { expect, test } from 'vitest';
import { ended, file, fileCreate, instanceOf, openHouse, openTestCatalog, UPGRADE } from '../../test/house.ts';
import { forgetKey } from '../../test/scenarios.ts';
import { fileRebuild } from '../tasks/upgrade_instance/file_rebuild.ts';

/** A catalog is made from nothing, which takes its time on a busy machine. */
const WITHIN = { timeout: 120_000 };

test.each(['mysql', 'sqlite'] as const)(
  'a create that was under way at the backup takes nothing away after the restore, on %s',
  WITHIN,
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
      const seen = BigInt((await instanceOf(house, id)).fence);
      // The same backup once more: its guests have seen the fences of the first restore.
      await catalog.knex('instances').where({ id }).update({ fence: '1' });
      expect(await afterRestore(catalog)).toBe(0);
      expect(BigInt((await instanceOf(house, id)).fence)).toBeGreaterThan(seen);
    } finally {
      await house.dispose();
      await catalog.dispose();
    }
  },
);

test.each(['mysql', 'sqlite'] as const)(
  'a guest whose key was changed after the backup does not answer, and an upgrade to the same version gives it another, on %s',
  WITHIN,
  async (dialect) => {
    const catalog = await openTestCatalog(dialect);
    const house = openHouse(catalog);
    const { knex } = catalog;
    try {
      const first = await house.taskmanager();
      const { id, taskId } = await fileCreate(house);
      await ended(house, taskId);
      const backup = await knex('instance_keys').where({ instance_id: id });
      const { encrypted_key } = await instanceOf(house, id);
      expect((await ended(house, await file(house, 'upgrade_instance', id, UPGRADE))).state).toBe('done');
      await first.close();
      await knex('instance_keys').where({ instance_id: id }).delete();
      await knex('instance_keys').insert(backup);
      await knex('instances').where({ id }).update({ encrypted_key });
      await afterRestore(catalog);
      house.world.calls.length = 0;
      await house.taskmanager();
      expect((await ended(house, await file(house, 'upgrade_instance', id, UPGRADE))).state).toBe('done');
      expect(house.world.calls).toEqual(['sealed post_upgrade {}']);
      expect((await ended(house, await file(house, 'restart_instance', id))).state).toBe('done');
      expect([...house.world.volumes.values()].map(({ prepared }) => prepared)).toEqual([true]);
    } finally {
      await house.dispose();
      await catalog.dispose();
    }
  },
);

test(
  'a guest that got its first key after the backup is rebuilt where an operator says so, sealed, around its volume',
  WITHIN,
  async () => {
    const catalog = await openTestCatalog('mysql');
    const house = openHouse(catalog);
    try {
      const first = await house.taskmanager();
      const { id, taskId } = await fileCreate(house);
      await ended(house, taskId);
      await expect(fileRebuild(catalog, id)).rejects.toThrow('has a key: upgrade it');
      await expect(fileRebuild(catalog, newUuid())).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await first.close();
      await forgetKey(house, id);
      await afterRestore(catalog);
      await house.taskmanager();
      house.world.calls.length = 0;
      const rebuild = await fileRebuild(catalog, id);
      expect((await instanceOf(house, id)).task_id).toBe(TASK_STATUSES.UPGRADING.code);
      await expect(fileRebuild(catalog, id)).rejects.toMatchObject({ code: 'UNPROCESSABLE' });
      expect(await ended(house, rebuild)).toMatchObject({ state: 'done', error: null });
      expect(await instanceOf(house, id)).toMatchObject({
        rpc_policy: 2,
        server_status: 'ACTIVE',
        active_task_id: null,
      });
      expect(house.world.calls).toEqual(['sealed post_upgrade {}']);
      expect((await ended(house, await file(house, 'restart_instance', id))).state).toBe('done');
      expect([...house.world.volumes.values()].map(({ data }) => data)).toEqual(['u1:s3cret']);
    } finally {
      await house.dispose();
      await catalog.dispose();
    }
  },
);

test(
  'a delete takes away the broker account that was made after the backup, of which the catalog does not know',
  WITHIN,
  async () => {
    const catalog = await openTestCatalog('sqlite');
    const house = openHouse(catalog);
    try {
      await house.taskmanager();
      const { id, taskId } = await fileCreate(house);
      await ended(house, taskId);
      const account = guestAccount(id);
      expect(await house.admin.readAccount(account)).toBeDefined();
      await catalog.knex('resources').where({ instance_id: id, kind: 'broker_account' }).delete();
      expect((await ended(house, await file(house, 'delete_instance', id))).state).toBe('done');
      expect(await house.admin.readAccount(account)).toBeUndefined();
    } finally {
      await house.dispose();
      await catalog.dispose();
    }
  },
);
