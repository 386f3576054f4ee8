import { type Dialect, withTransaction } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { silentLogger } from '@trove/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type BuildPlan, buildKind, fixtureKinds, removeKind } from '../../test/kinds.ts';
import { ended, fileBuild, fileRemove, instanceOf, journalOf, newInstance, taskOf, until } from '../../test/house.ts';
import { MemoryWorld } from '../../test/world.ts';
import type { TaskKind } from '../types.ts';
import { wakeInstances } from '../filing/wake_instances.ts';
import { createTaskEngine } from './create_engine.ts';
import type { TaskEngine, TaskEngineOptions } from './options.ts';

const ALL_MADE = [/^announcement\./, /^secret\./, /^server\./, /^volume\./];
let engines: TaskEngine[] = [];

describe.each<Dialect>(['sqlite', 'mysql'])('the engine on %s', (dialect) => {
  let catalog: TestCatalog;
  const world = new MemoryWorld();
  const kinds = fixtureKinds(world);

  beforeAll(async () => {
    catalog = await testCatalog(dialect);
  });
  afterEach(async () => {
    await Promise.all(engines.map((engine) => engine.close()));
    engines = [];
  });
  afterAll(() => catalog.dispose());

  function engine(more: Partial<TaskEngineOptions> = {}): TaskEngine {
    const made = createTaskEngine({
      catalog,
      kinds,
      owner: `worker ${engines.length}`,
      logger: silentLogger,
      pollMs: { min: 20, max: 40 },
      leaseMs: 3000,
      ...more,
    });
    engines.push(made);
    made.start();
    return made;
  }

  async function build(plan: BuildPlan = {}): Promise<{ instanceId: string; taskId: string }> {
    const instanceId = await newInstance(catalog);
    const { taskId } = await fileBuild(catalog, instanceId, plan);
    return { instanceId, taskId };
  }

  it('a task runs its steps in order, ends once and gives the slot back', async () => {
    engine();
    const { instanceId, taskId } = await build();
    expect(await ended(catalog, taskId)).toMatchObject({ state: 'done', error: null, lease_owner: null, lease_until: null });
    expect(Object.keys(await journalOf(catalog, taskId))).toHaveLength(5);
    expect(await instanceOf(catalog, instanceId)).toMatchObject({ active_task_id: null, server_status: 'ACTIVE', volume_size: 1 });
    expect(world.things(instanceId)).toEqual(ALL_MADE.map((name) => expect.stringMatching(name)));
  });

  it('a doorbell starts a task before any poll', async () => {
    const slow = engine({ pollMs: { min: 60_000, max: 60_000 } });
    await until('the first poll', async () => slow.health().ok);
    const { taskId } = await build();
    slow.ring(taskId);
    expect((await ended(catalog, taskId, 5000)).state).toBe('done');
  });

  it.each(['before', 'after'] as const)('a step that fails %s its effect is tried again and has it once', async (when) => {
    engine();
    const { instanceId, taskId } = await build({ fails: { step: 'make_volume', when, times: 2, permanent: false } });
    expect((await ended(catalog, taskId)).state).toBe('done');
    const steps = await catalog.knex('task_steps').where({ task_id: taskId, name: 'make_volume' }).first('attempts', 'state');
    // After its effect, the second try observes what the first one made.
    expect(steps).toEqual({ attempts: when === 'before' ? 2 : 1, state: 'done' });
    expect(world.changes().filter((line) => line.startsWith(`${instanceId} create volume`))).toHaveLength(1);
  });

  it('a permanent failure undoes the attempted steps backwards and says why', async () => {
    engine();
    const { instanceId, taskId } = await build({ fails: { step: 'make_server', when: 'after', times: 9, permanent: true } });
    const task = await ended(catalog, taskId);
    expect(task.state).toBe('failed');
    expect(JSON.parse(task.error ?? '')).toEqual({ code: 'COMPUTE_ERROR', message: 'The outside world said no.', left: [] });
    expect(world.changes().filter((line) => line.startsWith(`${instanceId} remove`)).map((line) => line.split(' ')[2])).toEqual([
      'server',
      'volume',
      'secret',
    ]);
    expect(await journalOf(catalog, taskId)).toEqual({ make_secret: 'undone', make_volume: 'undone', make_server: 'undone' });
    expect(await instanceOf(catalog, instanceId)).toMatchObject({ active_task_id: null, server_status: 'ERROR', volume_size: 1 });
  });

  it('a step that goes on failing fails for good after its tries', async () => {
    engine();
    const { instanceId, taskId } = await build({ fails: { step: 'make_server', when: 'before', times: 9, permanent: false } });
    expect((await ended(catalog, taskId)).state).toBe('failed');
    expect(world.things(instanceId)).toEqual([]);
    const step = await catalog.knex('task_steps').where({ task_id: taskId, name: 'make_server' }).first('attempts');
    expect(step).toEqual({ attempts: 4 });
  });

  it('past the last undoable step a failure leaves everything as it is and names what is not done', async () => {
    engine();
    const { instanceId, taskId } = await build({ fails: { step: 'announce', when: 'before', times: 9, permanent: true } });
    const task = await ended(catalog, taskId);
    expect(task.state).toBe('failed');
    expect(JSON.parse(task.error ?? '')).toMatchObject({ left: ['announce'] });
    expect(world.things(instanceId)).toHaveLength(3);
  });

  it('an undo that fails is tried again, and the task still ends as it should', async () => {
    engine();
    const { instanceId, taskId } = await build({
      fails: { step: 'make_server', when: 'before', times: 9, permanent: true },
      undo_fails: { step: 'make_volume', times: 2, permanent: false },
    });
    expect(JSON.parse((await ended(catalog, taskId)).error ?? '')).toMatchObject({ left: [] });
    expect(world.things(instanceId)).toEqual([]);
  });

  it('an undo that fails for good is named, and the others are undone all the same', async () => {
    engine();
    const { instanceId, taskId } = await build({
      fails: { step: 'make_server', when: 'before', times: 9, permanent: true },
      undo_fails: { step: 'make_volume', times: 99, permanent: true },
    });
    expect(JSON.parse((await ended(catalog, taskId)).error ?? '')).toMatchObject({ left: ['make_volume'] });
    expect(world.things(instanceId)).toEqual([expect.stringMatching(/^volume\./)]);
    expect((await instanceOf(catalog, instanceId)).hostname).toBe('make_volume');
  });

  it('a waiting task costs no worker, and a wake brings it forward', async () => {
    const one = engine({ concurrency: 1 });
    const waiting = await build({ wait_ms: 60_000 });
    await until('the wait', async () => (await taskOf(catalog, waiting.taskId)).state === 'waiting');
    expect(await taskOf(catalog, waiting.taskId)).toMatchObject({ lease_owner: null, lease_until: null, step: 'wait_ready' });
    expect(one.health()).toEqual({ ok: true, running: 0 });
    const other = await build();
    expect((await ended(catalog, other.taskId)).state).toBe('done');
    world.create(waiting.instanceId, 'ready', waiting.instanceId);
    await withTransaction(catalog, (tx) => wakeInstances(tx, [waiting.instanceId, other.instanceId]));
    expect((await ended(catalog, waiting.taskId)).state).toBe('done');
  });

  it('a wait ends by itself when its time has come, without a poll', async () => {
    const slow = engine({ pollMs: { min: 60_000, max: 60_000 } });
    await until('the first poll', async () => slow.health().ok);
    const { instanceId, taskId } = await build({ wait_ms: 100 });
    slow.ring(taskId);
    await until('the wait', async () => (await taskOf(catalog, taskId)).state === 'waiting');
    world.create(instanceId, 'ready', instanceId);
    expect((await ended(catalog, taskId, 5000)).state).toBe('done');
  });

  it('a task past its deadline is undone and says where it stood', async () => {
    engine();
    const instanceId = await newInstance(catalog);
    const { taskId } = await fileBuild(catalog, instanceId, { wait_ms: 50 }, { deadlineMs: 700 });
    const task = await ended(catalog, taskId);
    expect(task.state).toBe('failed');
    expect(JSON.parse(task.error ?? '')).toMatchObject({ message: expect.stringContaining('wait_ready'), left: [] });
    expect(world.things(instanceId)).toEqual([]);
  });

  it('a compensation past its own deadline fails and names what is left', async () => {
    engine({ kinds: [{ ...buildKind(world), compensationDeadlineMs: 150 }] });
    const { instanceId, taskId } = await build({
      fails: { step: 'make_server', when: 'before', times: 9, permanent: true },
      undo_fails: { step: 'make_volume', times: 999, permanent: false },
    });
    expect(JSON.parse((await ended(catalog, taskId)).error ?? '')).toMatchObject({ left: ['make_volume', 'make_secret'] });
    expect(world.things(instanceId)).toHaveLength(2);
  });

  it('more tasks than a worker has room for all end, no sooner than room is there', async () => {
    const one = engine({ concurrency: 2, pollMs: { min: 500, max: 500 } });
    const tasks = await Promise.all(Array.from({ length: 9 }, () => build()));
    await Promise.all(tasks.map(({ taskId }) => ended(catalog, taskId)));
    await until('idleness', async () => one.health().running === 0);
  });

  it('closing lets a step end and hands the task over at once, lease or no lease', async () => {
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const first = engine({
      leaseMs: 60_000,
      faults: async ({ step, at }) => {
        if (step !== 'make_volume' || at !== 'before_run') return;
        reached.resolve();
        await gate.promise;
      },
    });
    const { instanceId, taskId } = await build();
    await reached.promise;
    const closing = first.close();
    gate.resolve();
    await closing;
    expect(await journalOf(catalog, taskId)).toEqual({ make_secret: 'done', make_volume: 'done' });
    expect(await taskOf(catalog, taskId)).toMatchObject({ state: 'running', lease_until: null });
    engine();
    expect((await ended(catalog, taskId, 4000)).state).toBe('done');
    expect(world.things(instanceId)).toHaveLength(4);
  });

  it('a step that outlives the grace time is aborted, and the next worker goes on at once', async () => {
    const hanging = buildKind(world);
    const reached = Promise.withResolvers<void>();
    const stuck: TaskKind = {
      ...hanging,
      steps: (task) =>
        hanging.steps(task).map((step) => {
          if (step.name !== 'make_server') return step;
          return { ...step, timeoutMs: 50_000, run: (context) => hang(context.signal, reached.resolve) };
        }),
    };
    const first = engine({ kinds: [stuck], leaseMs: 60_000, graceMs: 50 });
    const { taskId } = await build();
    await reached.promise;
    await first.close();
    expect(await journalOf(catalog, taskId)).toMatchObject({ make_server: 'intent' });
    engine();
    expect((await ended(catalog, taskId, 4000)).state).toBe('done');
  });

  it('a step that outlives its time-out is tried again', async () => {
    const usual = buildKind(world);
    let tries = 0;
    const slow: TaskKind = {
      ...usual,
      steps: (task) =>
        usual.steps(task).map((step) => {
          if (step.name !== 'make_server') return step;
          return { ...step, timeoutMs: 80, run: (context) => (++tries === 1 ? hang(context.signal) : step.run(context)) };
        }),
    };
    engine({ kinds: [slow] });
    const { taskId } = await build();
    expect((await ended(catalog, taskId)).state).toBe('done');
    expect(tries).toBe(2);
  });

  it('a call longer than the lease is covered by a longer one before it starts', async () => {
    const usual = buildKind(world);
    let left = 0;
    const long: TaskKind = {
      ...usual,
      steps: (task) =>
        usual.steps(task).map((step) => {
          if (step.name !== 'make_server') return step;
          const run: typeof step.run = async (context) => {
            const row = await taskOf(catalog, context.task.id);
            left = Number(row.lease_until) / 1000 - Date.now();
            return await step.run(context);
          };
          return { ...step, timeoutMs: 20_000, run };
        }),
    };
    engine({ kinds: [long], leaseMs: 1000 });
    const { taskId } = await build();
    expect((await ended(catalog, taskId)).state).toBe('done');
    expect(left).toBeGreaterThan(15_000);
  });

  describe('parking', () => {
    it('a kind that this release does not know stands still, says so, and runs where it is known', async () => {
      engine({ kinds: [removeKind(world)] });
      const { taskId } = await build();
      const row = await until('the mark', async () => {
        const task = await taskOf(catalog, taskId);
        return task.error !== null && task;
      });
      expect(row).toMatchObject({ state: 'pending', lease_owner: null });
      expect(JSON.parse(row.error ?? '')).toMatchObject({ message: expect.stringContaining('does not know task kind "build"') });
      engine();
      expect(await ended(catalog, taskId)).toMatchObject({ state: 'done', error: null });
    });

    it('a newer code version stands still and says so', async () => {
      const instanceId = await newInstance(catalog);
      const { taskId } = await fileBuild(catalog, instanceId, {}, { codeVersion: 2 });
      engine();
      const row = await until('the mark', async () => {
        const task = await taskOf(catalog, taskId);
        return task.error !== null && task;
      });
      expect(JSON.parse(row.error ?? '')).toMatchObject({ message: expect.stringContaining('version 2 of task kind "build"') });
      expect(row).toMatchObject({ state: 'pending', attempt: 0 });
      engine({ kinds: [buildKind(world, 2)] });
      expect((await ended(catalog, taskId)).state).toBe('done');
    });

    it('a journal with a step that this release does not have stands still with its lease given back', async () => {
      const { taskId } = await build({ wait_ms: 30 });
      engine();
      await until('the wait', async () => (await taskOf(catalog, taskId)).state === 'waiting');
      await Promise.all(engines.map((one) => one.close()));
      await catalog.knex('task_steps').where({ task_id: taskId, name: 'make_volume' }).update({ name: 'make_cloud' });
      engine();
      const row = await until('the mark', async () => {
        const task = await taskOf(catalog, taskId);
        return task.error !== null && task;
      });
      expect(JSON.parse(row.error ?? '')).toMatchObject({ message: expect.stringContaining('no step "make_cloud"'), parked: true });
      expect(row).toMatchObject({ state: 'waiting', lease_owner: null });
    });
  });

  it('an engine whose catalog cannot be read says so, and works again by itself', async () => {
    const { taskId } = await build();
    let broken = true;
    const flaky = new Proxy(catalog, {
      get(target, member) {
        if (member === 'knex' && broken) throw new Error('no connection');
        return Reflect.get(target, member);
      },
    });
    const one = engine({ catalog: flaky });
    await until('the problem', async () => !one.health().ok);
    expect(one.health().problem).toBe('tasks cannot be read from the catalog');
    broken = false;
    expect((await ended(catalog, taskId)).state).toBe('done');
    await until('health', async () => one.health().ok);
  });

  it('a delete that comes while a build waits cancels it, then removes what is left', async () => {
    engine();
    const { instanceId, taskId } = await build({ wait_ms: 60_000 });
    await until('the wait', async () => (await taskOf(catalog, taskId)).state === 'waiting');
    const removal = await fileRemove(catalog, instanceId);
    expect((await ended(catalog, removal.taskId)).state).toBe('done');
    expect((await taskOf(catalog, taskId)).state).toBe('cancelled');
    expect(world.things(instanceId)).toEqual([]);
    expect(await instanceOf(catalog, instanceId)).toMatchObject({ active_task_id: null, deleted: 1, server_status: 'GONE', volume_size: 2 });
  });
});

function hang(signal: AbortSignal, onStart?: () => void): Promise<never> {
  onStart?.();
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
}
