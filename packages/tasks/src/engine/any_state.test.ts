import { afterRestore, handOverSlot, type TaskRow, withTransaction } from '@trove/catalog';
import { newUuid } from '@trove/common';
import { describe, expect, it } from 'vitest';
import { ended, fileBuild, fileRemove, instanceOf } from '../../test/house.ts';
import { MADE } from '../../test/kinds.ts';
import { Workshop } from '../../test/workshop.ts';
import { stepToken } from './outside_call.ts';

type Unfinished = Exclude<TaskRow['state'], 'done' | 'failed' | 'cancelled'>;

/** How a slot's holder was left, by whoever worked on it or has parked it. */
interface Left {
  readonly state: Unfinished | 'parked';
  /** Its journal: nothing, one thing made, or all made and past what can be taken back. */
  readonly journal: 'empty' | 'begun' | 'past';
  /** How many of its two deadlines are over. */
  readonly over: 0 | 1 | 2;
  /** A delete was filed behind it, which has asked it to stop. */
  readonly deleted: boolean;
}

const DEADLINES_MS = 600_000;
const PARKED = JSON.stringify({
  code: 'INTERNAL',
  message: 'Parked: this release is older.',
  parked: true,
  before: null,
});

const HOLDERS: readonly Left[] = (['pending', 'running', 'waiting', 'compensating', 'parked'] as const).flatMap(
  (state) =>
    (['empty', 'begun', 'past'] as const)
      .filter((journal) => state !== 'pending' || journal === 'empty')
      .flatMap((journal) =>
        ([0, 1, 2] as const).flatMap((over) => [true, false].map((deleted) => ({ state, journal, over, deleted }))),
      ),
);

/** What holds a slot and never ends: the reconciler takes it away, after a while. */
const DEAD: readonly (TaskRow['state'] | 'no row' | 'a delete')[] = [
  'done',
  'failed',
  'cancelled',
  'no row',
  'a delete',
];

// Databases differ in their locks, and nobody meets here: one is enough.
describe('whatever state an instance was left in', () => {
  const shop = new Workshop('sqlite');

  async function leave({ state, journal, over, deleted }: Left): Promise<string> {
    const { knex } = shop.catalog;
    const { instanceId, taskId } = await shop.build();
    if (deleted) await fileRemove(shop.catalog, instanceId);
    for (const thing of journal === 'empty' ? [] : journal === 'begun' ? MADE.slice(0, 1) : MADE) {
      const token = stepToken(taskId, `make_${thing}`);
      shop.world.create(instanceId, thing, token);
      await knex('task_steps').insert({
        ...{ task_id: taskId, name: `make_${thing}`, state: 'done', token, output: '{}', attempts: 0, started: 1 },
      });
    }
    if (journal === 'past')
      for (const [name, step] of [
        ['wait_ready', 'done'],
        ['announce', 'intent'],
      ])
        await knex('task_steps').insert({
          ...{ task_id: taskId, name, state: step, token: newUuid(), output: 'null', attempts: 0, started: 2 },
        });
    const sinceMs = over === 0 ? -DEADLINES_MS : over === 1 ? 1000 : DEADLINES_MS + 1000;
    const isAway = state === 'running' || state === 'compensating';
    await knex('tasks')
      .where({ id: taskId })
      .update({
        state: state === 'parked' ? 'waiting' : state,
        deadline: (Date.now() - sinceMs) * 1000,
        ...(isAway && { lease_owner: 'the dead', lease_until: 1 }),
        // One that nobody wakes waits for its deadline, at the longest.
        ...((state === 'waiting' || state === 'parked') && { wake_at: deleted || over > 0 ? 1 : Date.now() * 1000 }),
        ...(state === 'parked' && { error: PARKED }),
      });
    return instanceId;
  }

  async function expectGone(instanceIds: readonly string[], taskIds: readonly string[]): Promise<void> {
    for (const taskId of taskIds) expect((await ended(shop.catalog, taskId, 60_000)).state).toBe('done');
    for (const id of instanceIds) {
      expect(await instanceOf(shop.catalog, id)).toMatchObject({ deleted: 1, active_task_id: null });
      expect(shop.world.things(id)).toEqual([]);
    }
    expect(await unfinished(instanceIds)).toEqual([]);
  }

  const unfinished = (instanceIds: readonly string[]): Promise<string[]> =>
    shop.catalog
      .knex('tasks')
      .whereIn('instance_id', [...instanceIds])
      .whereNotIn('state', ['done', 'failed', 'cancelled'])
      .pluck('id');

  it('a delete is accepted and ends', { timeout: 120_000 }, async () => {
    const instanceIds = await Promise.all(HOLDERS.map(leave));
    const removals = await Promise.all(instanceIds.map((id) => fileRemove(shop.catalog, id)));
    expect(removals.map(({ repeated }) => repeated)).toEqual(HOLDERS.map(({ deleted }) => deleted));
    shop.engine({ leaseMs: 30_000 });
    await expectGone(
      instanceIds,
      removals.map(({ taskId }) => taskId),
    );
  });

  it('the task ends, and another is accepted then', { timeout: 120_000 }, async () => {
    const lefts = HOLDERS.filter(({ deleted }) => !deleted);
    const instanceIds = await Promise.all(lefts.map(leave));
    shop.engine({ leaseMs: 30_000 });
    for (const instance_id of instanceIds) {
      const holder = await shop.catalog.knex('tasks').where({ instance_id }).first('id');
      await ended(shop.catalog, holder.id, 60_000);
    }
    const others = await Promise.all(instanceIds.map((id) => fileBuild(shop.catalog, id)));
    for (const { taskId } of others) expect((await ended(shop.catalog, taskId, 60_000)).state).toBe('done');
  });

  it('a delete is accepted and ends, once a restored catalog is made fit', { timeout: 120_000 }, async () => {
    const instanceIds = await Promise.all(HOLDERS.map(leave));
    await afterRestore(shop.catalog);
    expect(await unfinished(instanceIds)).toEqual([]);
    const removals = await Promise.all(instanceIds.map((id) => fileRemove(shop.catalog, id)));
    expect(removals.filter(({ repeated }) => repeated)).toEqual([]);
    shop.engine({ leaseMs: 30_000 });
    await expectGone(
      instanceIds,
      removals.map(({ taskId }) => taskId),
    );
  });

  it('a delete is accepted behind what holds the slot and never ends, and ends once that is taken away', async () => {
    const { knex } = shop.catalog;
    const left = await Promise.all(
      DEAD.map(async (what) => {
        const { instanceId, taskId } = await shop.build();
        const holder = knex('tasks').where({ id: taskId });
        if (what === 'no row') await holder.delete();
        else if (what === 'a delete') await holder.update({ kind: 'remove', state: 'failed' });
        else await holder.update({ state: what });
        return { instanceId, holder: taskId };
      }),
    );
    const removals = await Promise.all(left.map(({ instanceId }) => fileRemove(shop.catalog, instanceId)));
    expect(removals.filter(({ repeated }) => repeated)).toEqual([]);
    for (const one of left) await withTransaction(shop.catalog, (tx) => handOverSlot(tx, one));
    shop.engine({ leaseMs: 30_000 });
    await expectGone(
      left.map(({ instanceId }) => instanceId),
      removals.map(({ taskId }) => taskId),
    );
  });
});
