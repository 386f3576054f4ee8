import { dbNow, type InstanceKeyRow, type ResourceRow } from '@trove/catalog';
import { newUuid } from '@trove/common';
import { afterEach, describe, expect, test } from 'vitest';
import { ended, faultOf, file, fileCreate, instanceOf, UPGRADE } from '../../../test/house.ts';
import { ReconciledHouse } from '../../../test/reconciled_house.ts';

describe.each(['mysql', 'sqlite'] as const)('an upgrade whose time is over on %s', (dialect) => {
  let house: ReconciledHouse;
  afterEach(() => house.dispose());

  test('when the new server serves leaves what serves in the books, and the snapshot to the reconciler', async () => {
    house = await ReconciledHouse.open(dialect);
    const { knex } = house.catalog;
    let upgrade = '';
    await house.house.taskmanager({
      async faults({ step, at }) {
        if (step !== 'post_upgrade' || at !== 'after_run') return;
        await knex('tasks')
          .where({ id: upgrade })
          .update({ deadline: knex.raw('? - 1', [dbNow(knex)]) });
      },
    });
    const { id, taskId } = await fileCreate(house.house);
    expect((await ended(house.house, taskId)).state).toBe('done');
    const before = await instanceOf(house.house, id);
    const version = newUuid();
    const present = await knex('datastore_versions').where({ id: before.datastore_version_id }).first();
    await knex('datastore_versions').insert({ ...present, id: version, name: '18.5', version: '18.5' });
    upgrade = await file(house.house, 'upgrade_instance', id, { ...UPGRADE, datastore_version_id: version });

    expect((await ended(house.house, upgrade)).state).toBe('failed');
    expect(await faultOf(house.house, id)).toContain('within its deadline');
    expect(await instanceOf(house.house, id)).toMatchObject({
      ...{ task_id: 1, server_status: 'ACTIVE', active_task_id: null },
      ...{ datastore_version_id: version, rpc_policy: 2 },
    });
    const live = await knex<InstanceKeyRow>('instance_keys').where({ instance_id: id }).whereNot({ state: 'retired' });
    expect(live).toMatchObject([{ state: 'active', exclusive_since: null }]);
    expect(await knex<ResourceRow>('resources').where({ kind: 'snapshot' }).pluck('state')).toEqual(['deleting']);
    await house.settled(id);
    expect(await knex<ResourceRow>('resources').where({ kind: 'snapshot' }).pluck('state')).toEqual(['gone']);
    expect(house.house.world.snapshots.size).toBe(0);
    expect(await house.invariants()).toEqual([]);
    expect((await ended(house.house, await file(house.house, 'restart_instance', id))).state).toBe('done');
  });
});
