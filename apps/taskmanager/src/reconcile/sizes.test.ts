import { approveFindings, reserveGrowth, withTransaction } from '@trove/catalog';
import { newUuid, TroveError } from '@trove/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { booksOf, ended, faultOf, file, instanceOf } from '../../test/house.ts';
import { ReconciledHouse } from '../../test/reconciled_house.ts';
import { FLAVOR, LARGER } from '../../test/world.ts';

// Each test has a database of its own on a server that others use too.
vi.setConfig({ testTimeout: 60_000 });

describe.each(['mysql', 'sqlite'] as const)('sizes in catalog and world on %s', (dialect) => {
  let here: ReconciledHouse;
  let id: string;

  beforeEach(async () => {
    here = await ReconciledHouse.open(dialect);
    id = await here.built();
  });
  afterEach(() => here.dispose());

  const grow = async (amounts: { ram: number; volumes: number }): Promise<void> => {
    const of = { projectId: here.house.project, instanceId: id, ramOf: () => FLAVOR.ram };
    const defaults = { instances: -1, ram: -1, volumes: -1 };
    await withTransaction(here.catalog, (tx) =>
      reserveGrowth(tx, { ...of, amounts: { instances: 0, ...amounts }, defaults }),
    );
  };
  const ram = async (): Promise<number[]> => {
    const row = await here.catalog.knex('quota_usages').where({ resource: 'ram' }).first('in_use', 'reserved');
    return [Number(row.in_use), Number(row.reserved)];
  };
  /** The task turns back, and is out of time for that too. */
  const giveUp = async (taskId: string): Promise<void> => {
    const tried = () => here.catalog.knex('task_steps').where({ task_id: taskId }).where('attempts', '>', 0);
    await expect.poll(tried, { timeout: 20_000 }).toHaveLength(1);
    const outOfTime = async () => {
      await here.catalog.knex('tasks').where({ id: taskId }).update({ deadline: 1 });
      return (await here.catalog.knex('tasks').where({ id: taskId }).first('state')).state;
    };
    await expect.poll(outOfTime, { timeout: 20_000 }).toBe('failed');
  };

  it('a volume that grew in a resize that nobody could follow to its end is found by the check, and then booked', async () => {
    await grow({ ram: 0, volumes: 2 });
    const error = new TroveError('COMPUTE_ERROR', 'silent', { retryable: true });
    here.house.world.scripted.set('volumeSize', { times: 1_000_000, error });
    const taskId = await file(here.house, 'resize_volume', id, { volume_size: 5, previous_size: 3 });
    await giveUp(taskId);
    expect([(await instanceOf(here.house, id)).volume_size, await booksOf(here.house)]).toEqual([3, [3, 0]]);
    expect(await here.invariants()).toEqual(['booked with 3 GB, has 5']);
    here.house.world.scripted.clear();
    const limit = { id: newUuid(), tenant_id: here.house.project, resource: 'volumes', hard_limit: 3 };
    await here.catalog.knex('quotas').insert(limit);
    await here.settled(id);
    expect([(await instanceOf(here.house, id)).volume_size, await booksOf(here.house)]).toEqual([5, [5, 0]]);
    await here.run();
    expect([await here.found(), await here.invariants()]).toEqual([[], []]);
  });

  it('a server that could not be given its flavor back is found by the check, and then booked with the one it has', async () => {
    await grow({ ram: LARGER.ram - FLAVOR.ram, volumes: 0 });
    here.house.world.guestFaults.fail.set('start', 'not enough memory');
    const { resizeServer } = here.house.world;
    here.house.world.resizeServer = async (request, signal) => {
      if (request.flavor.id === FLAVOR.id) throw new TroveError('COMPUTE_ERROR', 'no room to go back');
      return await resizeServer(request, signal);
    };
    const params = { flavor: { ...LARGER }, previous_flavor: { ...FLAVOR } };
    const taskId = await file(here.house, 'resize_flavor', id, params);
    await expect
      .poll(() => here.catalog.knex('task_steps').where({ task_id: taskId, name: 'await_serving' }), {
        timeout: 20_000,
      })
      .toHaveLength(1);
    await here.catalog.knex('tasks').where({ id: taskId }).update({ cancel_requested: 1 });
    expect(await ended(here.house, taskId)).toMatchObject({ state: 'failed', error: expect.stringContaining('left') });
    expect([(await instanceOf(here.house, id)).flavor_id, await ram()]).toEqual([FLAVOR.id, [FLAVOR.ram, 0]]);
    const wrong = `booked with flavor ${FLAVOR.id}, has ${LARGER.id}`;
    expect(await here.invariants()).toEqual([wrong]);
    await here.settled(id);
    expect([(await instanceOf(here.house, id)).flavor_id, await ram()]).toEqual([LARGER.id, [LARGER.ram, 0]]);
    await here.run();
    expect([await here.found(), await here.invariants()]).toEqual([[], []]);
  });

  it('a volume that is smaller than its row says is shown, and booked where an operator says so; one at work is left alone', async () => {
    for (const volume of here.house.world.volumes.values()) volume.size = 2;
    await here.run();
    const wrong = 'booked with 3 GB, has 2';
    expect([await here.found(), await here.invariants()]).toEqual([['smaller_volume'], [wrong]]);
    await here.catalog.knex('reconcile_findings').update({ since: 1 });
    await here.run();
    expect([(await instanceOf(here.house, id)).volume_size, await here.invariants()]).toEqual([3, [wrong]]);
    await approveFindings(here.catalog, (await here.state()).findings);
    await here.settled(id);
    expect([(await instanceOf(here.house, id)).volume_size, await booksOf(here.house)]).toEqual([2, [2, 0]]);
    expect(await faultOf(here.house, id)).toBe(
      'The volume was found to have 2 GB, not 3: it counts as that, and can be resized.',
    );
    expect(await here.invariants()).toEqual([]);
    for (const volume of here.house.world.volumes.values()) volume.size = 4;
    const busy = await file(here.house, 'restart_instance', id);
    await here.catalog.knex('tasks').where({ id: busy }).update({ state: 'waiting', wake_at: 9e15, lease_until: null });
    await here.run();
    expect([await here.found(), await here.invariants()]).toEqual([[], []]);
  });
});
