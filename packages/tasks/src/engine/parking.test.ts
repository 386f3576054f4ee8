import { type Dialect, withTransaction } from '@trove/catalog';
import { silentLogger } from '@trove/common';
import { describe, expect, it } from 'vitest';
import { ended, fileBuild, newInstance, taskOf, until } from '../../test/house.ts';
import { buildKind, removeKind } from '../../test/kinds.ts';
import { Workshop } from '../../test/workshop.ts';
import { wakeInstances } from '../filing/wake_instances.ts';
import type { Step, Task } from '../types.ts';

describe.each<Dialect>(['sqlite', 'mysql'])('parking on %s', (dialect) => {
  const shop = new Workshop(dialect);

  it('a kind that this release does not know stands still, says so, and runs where it is known', async () => {
    shop.engine({ kinds: [removeKind(shop.world)] });
    const { taskId } = await shop.build();
    const row = await until('the mark', async () => {
      const task = await taskOf(shop.catalog, taskId);
      return task.error !== null && task;
    });
    expect(row).toMatchObject({ state: 'pending', lease_owner: null });
    expect(JSON.parse(row.error ?? '')).toMatchObject({
      message: expect.stringContaining('does not know task kind "build"'),
    });
    shop.engine();
    expect(await ended(shop.catalog, taskId)).toMatchObject({ state: 'done', error: null });
  });

  it('a newer code version stands still and says so', async () => {
    const instanceId = await newInstance(shop.catalog);
    const { taskId } = await fileBuild(shop.catalog, instanceId, {}, { codeVersion: 2 });
    const warned: unknown[][] = [];
    shop.engine({ logger: { ...silentLogger, warn: (...line) => warned.push(line) } });
    const row = await until('the mark', async () => {
      const task = await taskOf(shop.catalog, taskId);
      return task.error !== null && task;
    });
    expect(JSON.parse(row.error ?? '')).toMatchObject({
      message: expect.stringContaining('version 2 of task kind "build"'),
    });
    expect(row).toMatchObject({ state: 'pending', attempt: 0 });
    await until('the line', async () => warned.length > 0);
    expect(warned).toEqual([[expect.stringContaining('tasks parked'), { count: 1, task_kinds: ['build'] }]]);
    shop.engine({ kinds: [buildKind(shop.world, 2)] });
    expect((await ended(shop.catalog, taskId)).state).toBe('done');
  });

  it('a journal with a step that this release does not have stands still with its lease given back', async () => {
    const { taskId } = await shop.build({ wait_ms: 30 });
    const warned: string[] = [];
    const logger = { ...silentLogger, warn: (message: string) => warned.push(message) };
    shop.engine();
    await until('the wait', async () => (await taskOf(shop.catalog, taskId)).state === 'waiting');
    await shop.closeEngines();
    await shop.catalog
      .knex('task_steps')
      .where({ task_id: taskId, name: 'make_volume' })
      .update({ name: 'make_cloud' });
    const old = shop.engine({ logger: { ...logger, child: () => logger } });
    const row = await until('the mark', async () => {
      const task = await taskOf(shop.catalog, taskId);
      return task.error !== null && task;
    });
    expect(JSON.parse(row.error ?? '')).toMatchObject({
      message: expect.stringContaining('no step "make_cloud"'),
      parked: true,
    });
    expect(row).toMatchObject({ state: 'waiting', lease_owner: null });
    // The old worker goes on, beside one of the next release, and leaves the task alone however often it is woken.
    await withTransaction(shop.catalog, (tx) => wakeInstances(tx, [row.instance_id]));
    old.ring(taskId);
    await ended(shop.catalog, (await shop.build()).taskId);
    expect((await taskOf(shop.catalog, taskId)).fence).toEqual(row.fence);
    expect(warned.filter((message) => message.startsWith('task parked'))).toHaveLength(1);
    // A worker of the next release had taken it, which takes the mark away, and is gone: nobody else would say why it stands.
    await shop.catalog.knex('tasks').where({ id: taskId }).update({ error: null, wake_at: 1 });
    await until('the mark again', async () => (await taskOf(shop.catalog, taskId)).error !== null);
    shop.world.create(row.instance_id, 'ready', row.instance_id);
    const kind = buildKind(shop.world);
    const renamed = (step: Step): Step => (step.name === 'make_volume' ? { ...step, name: 'make_cloud' } : step);
    const next = { ...kind, steps: (task: Task) => kind.steps(task).map(renamed) };
    shop.engine({ kinds: [next] });
    expect(await ended(shop.catalog, taskId, 120_000)).toMatchObject({ state: 'done', error: null });
  }, 150_000);
});
