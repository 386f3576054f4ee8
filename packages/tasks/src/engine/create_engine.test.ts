import { type Dialect, withTransaction } from '@trove/catalog';
import { describe, expect, it } from 'vitest';
import { hang } from '../../test/hang.ts';
import { ended, journalOf, taskOf, until } from '../../test/house.ts';
import { buildKind } from '../../test/kinds.ts';
import { Workshop } from '../../test/workshop.ts';
import { wakeInstances } from '../filing/wake_instances.ts';
import type { TaskKind } from '../types.ts';

describe.each<Dialect>(['sqlite', 'mysql'])('an engine on %s', (dialect) => {
  const shop = new Workshop(dialect);

  it('a doorbell starts a task before any poll', async () => {
    const slow = shop.engine({ pollMs: { min: 60_000, max: 60_000 } });
    await until('the first poll', async () => slow.health().ok);
    const { taskId } = await shop.build();
    slow.ring(taskId);
    expect((await ended(shop.catalog, taskId, 25_000)).state).toBe('done');
  });

  it('a waiting task costs no worker, and a wake brings it forward', async () => {
    const one = shop.engine({ concurrency: 1 });
    const waiting = await shop.build({ wait_ms: 60_000 });
    await until('the wait', async () => (await taskOf(shop.catalog, waiting.taskId)).state === 'waiting');
    expect(await taskOf(shop.catalog, waiting.taskId)).toMatchObject({
      lease_owner: null,
      lease_until: null,
      step: 'wait_ready',
    });
    expect(one.health()).toEqual({ ok: true, running: 0 });
    const other = await shop.build();
    expect((await ended(shop.catalog, other.taskId)).state).toBe('done');
    shop.world.create(waiting.instanceId, 'ready', waiting.instanceId);
    await withTransaction(shop.catalog, (tx) => wakeInstances(tx, [waiting.instanceId, other.instanceId]));
    expect((await ended(shop.catalog, waiting.taskId)).state).toBe('done');
  });

  it('a wait ends by itself when its time has come, without a poll', async () => {
    const slow = shop.engine({ pollMs: { min: 60_000, max: 60_000 } });
    await until('the first poll', async () => slow.health().ok);
    const { instanceId, taskId } = await shop.build({ wait_ms: 100 });
    slow.ring(taskId);
    await until('the wait', async () => (await taskOf(shop.catalog, taskId)).state === 'waiting');
    shop.world.create(instanceId, 'ready', instanceId);
    expect((await ended(shop.catalog, taskId, 25_000)).state).toBe('done');
  });

  it('more tasks than a worker has room for all end, no sooner than room is there', async () => {
    const one = shop.engine({ concurrency: 2, pollMs: { min: 500, max: 500 } });
    const tasks = await Promise.all(Array.from({ length: 9 }, () => shop.build()));
    await Promise.all(tasks.map(({ taskId }) => ended(shop.catalog, taskId)));
    await until('idleness', async () => one.health().running === 0);
  });

  it('closing lets a step end and hands the task over at once, lease or no lease', async () => {
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const first = shop.engine({
      leaseMs: 60_000,
      faults: async ({ step, at }) => {
        if (step !== 'make_volume' || at !== 'before_run') return;
        reached.resolve();
        await gate.promise;
      },
    });
    const { instanceId, taskId } = await shop.build();
    await reached.promise;
    const closing = first.close();
    gate.resolve();
    await closing;
    expect(await journalOf(shop.catalog, taskId)).toEqual({ make_secret: 'done', make_volume: 'done' });
    expect(await taskOf(shop.catalog, taskId)).toMatchObject({ state: 'running', lease_until: null });
    shop.engine();
    expect((await ended(shop.catalog, taskId, 25_000)).state).toBe('done');
    expect(shop.world.things(instanceId)).toHaveLength(4);
  });

  it('a step that outlives the grace time is aborted, and the next worker goes on at once', async () => {
    const hanging = buildKind(shop.world);
    const reached = Promise.withResolvers<void>();
    const stuck: TaskKind = {
      ...hanging,
      steps: (task) =>
        hanging.steps(task).map((step) => {
          if (step.name !== 'make_server') return step;
          return { ...step, timeoutMs: 50_000, run: (context) => hang(context.signal, reached.resolve) };
        }),
    };
    const first = shop.engine({ kinds: [stuck], leaseMs: 60_000, graceMs: 50 });
    const { taskId } = await shop.build();
    await reached.promise;
    await first.close();
    expect(await journalOf(shop.catalog, taskId)).toMatchObject({ make_server: 'intent' });
    shop.engine();
    expect((await ended(shop.catalog, taskId, 25_000)).state).toBe('done');
  });

  it('an engine whose catalog cannot be read says so, and works again by itself', async () => {
    const { taskId } = await shop.build();
    let broken = true;
    const flaky = new Proxy(shop.catalog, {
      get(target, member) {
        if (member === 'knex' && broken) throw new Error('no connection');
        return Reflect.get(target, member);
      },
    });
    const one = shop.engine({ catalog: flaky });
    await until('the problem', async () => !one.health().ok);
    expect(one.health().problem).toBe('tasks cannot be read from the catalog');
    broken = false;
    expect((await ended(shop.catalog, taskId)).state).toBe('done');
    await until('health', async () => one.health().ok);
  });
});
