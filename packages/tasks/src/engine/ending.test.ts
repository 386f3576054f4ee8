import { type Dialect } from '@trove/catalog';
import { describe, expect, it } from 'vitest';
import { ended, fileBuild, fileRemove, instanceOf, newInstance, taskOf, until } from '../../test/house.ts';
import { buildKind, removeKind } from '../../test/kinds.ts';
import { Workshop } from '../../test/workshop.ts';
import type { TaskKind } from '../types.ts';

describe.each<Dialect>(['sqlite', 'mysql'])('a task on %s', (dialect) => {
  const shop = new Workshop(dialect);

  it('ends also where its params are what a database takes for no JSON, and keeps no secret', async () => {
    const instanceId = await newInstance(shop.catalog);
    const params = { users: 'sealed', zone: 'a\ud800' };
    const { taskId } = await fileBuild(shop.catalog, instanceId, {}, { params });
    shop.engine();
    const task = await ended(shop.catalog, taskId);
    expect(task.state).toBe('done');
    expect(task.params).not.toContain('sealed');
  });
});

describe.each<Dialect>(['sqlite', 'mysql'])('a task whose end cannot be written, on %s', (dialect) => {
  const shop = new Workshop(dialect);

  /** Both hooks throw, each time; `times` counts. */
  function broken(): { kind: TaskKind; times: () => number } {
    let count = 0;
    const fail = async (): Promise<never> => {
      count += 1;
      throw new TypeError('a mistake in a hook');
    };
    return { kind: { ...buildKind(shop.world), onDone: fail, onFailed: fail }, times: () => count };
  }

  const late = async (taskId: string, byMs: number): Promise<void> => {
    const { knex } = shop.catalog;
    await knex('tasks')
      .where({ id: taskId })
      .update({ deadline: (Date.now() - byMs) * 1000 });
  };

  it('is tried again until both its deadlines are over, then it has failed without its secrets, and its successor goes on', async () => {
    const { kind, times } = broken();
    shop.engine({ kinds: [kind, removeKind(shop.world)], leaseMs: 300 });
    const { instanceId, taskId } = await shop.build();
    await until('the first try', async () => times() > 0);
    const removal = await fileRemove(shop.catalog, instanceId);
    const { knex } = shop.catalog;
    await knex('tasks').where({ id: taskId }).update({ params: '{"users":"sealed"}' });
    const step = knex('task_steps').where({ task_id: taskId, name: 'make_secret' });
    await step.clone().update({ output: '{"password":"sealed"}' });
    await late(taskId, 1000);
    const tries = times();
    await until('two tries past the first deadline', async () => times() >= tries + 2);
    expect((await taskOf(shop.catalog, taskId)).state).toBe('running');
    await late(taskId, 601_000);
    const task = await ended(shop.catalog, taskId);
    expect([task.state, JSON.parse(task.error ?? '{}')]).toEqual([
      'failed',
      { code: 'INTERNAL', message: 'All of it was done, but its end could not be written down.', left: [] },
    ]);
    expect([task.params, (await step.clone().first('output')).output].map((text) => JSON.parse(text))).toEqual([
      { users: null },
      { password: null },
    ]);
    expect((await ended(shop.catalog, removal.taskId)).state).toBe('done');
    expect((await instanceOf(shop.catalog, instanceId)).active_task_id).toBeNull();
  });

  it('that has gone back says what went wrong first, and what is left', async () => {
    const { kind, times } = broken();
    shop.engine({ kinds: [kind], leaseMs: 300 });
    const { instanceId, taskId } = await shop.build({
      fails: { step: 'make_server', when: 'before', times: 9, permanent: true },
      undo_fails: { step: 'make_volume', times: 9, permanent: true },
    });
    await until('the first try', async () => times() > 0);
    expect((await taskOf(shop.catalog, taskId)).state).toBe('compensating');
    await late(taskId, 1000);
    const task = await ended(shop.catalog, taskId);
    expect([task.state, JSON.parse(task.error ?? '{}')]).toEqual([
      'failed',
      { code: 'COMPUTE_ERROR', message: 'The outside world said no.', left: ['make_volume'] },
    ]);
    expect((await instanceOf(shop.catalog, instanceId)).active_task_id).toBeNull();
  });
});
