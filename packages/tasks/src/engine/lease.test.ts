import type { Dialect } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { type Clock, silentLogger, systemClock, TroveError } from '@trove/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileBuild, fileRemove, instanceOf, newInstance, taskOf, until } from '../../test/house.ts';
import { buildKind, fixtureKinds } from '../../test/kinds.ts';
import { MemoryWorld } from '../../test/world.ts';
import type { Step, StepContext, TaskKind } from '../types.ts';
import { dueTasks } from './due.ts';
import { holdLease, type LeaseSettings, takeTask } from './lease.ts';
import type { Faults } from './options.ts';
import { type WorkerSettings, workOn } from './work_on.ts';

describe.each<Dialect>(['sqlite', 'mysql'])('a lease on %s', (dialect) => {
  let catalog: TestCatalog;
  const world = new MemoryWorld();
  const kinds = fixtureKinds(world);
  beforeAll(async () => {
    catalog = await testCatalog(dialect);
  });
  afterAll(() => catalog.dispose());

  function settings(owner: string, more: Partial<WorkerSettings> = {}): WorkerSettings {
    const draining = new AbortController().signal;
    const base: LeaseSettings = { catalog, kinds, owner, leaseMs: 30_000, clock: systemClock, logger: silentLogger };
    return { ...base, faults: () => undefined, draining, parked: new Set(), ...more };
  }

  /** Another worker takes the task after its lease has run out. */
  async function takeOver(taskId: string): Promise<void> {
    // Nobody's, so that no renewal under way brings it back.
    await catalog.knex('tasks').where({ id: taskId }).update({ lease_until: 1, lease_owner: null });
    expect(await takeTask(settings('successor'), taskId)).toBeDefined();
  }

  it('is had by one of many who ask at once, and the fence grows by one', async () => {
    const instanceId = await newInstance(catalog);
    const { taskId } = await fileBuild(catalog, instanceId);
    const taken = await Promise.all(
      Array.from({ length: 8 }, (_, index) => takeTask(settings(`worker ${index}`), taskId)),
    );
    const winners = taken.filter((one) => one !== undefined);
    expect(winners).toHaveLength(1);
    expect(winners[0]?.row).toMatchObject({ state: 'running' });
    expect(Number((await instanceOf(catalog, instanceId)).fence)).toBe(1);
    expect(Number((await taskOf(catalog, taskId)).fence)).toBe(1);
    expect(await takeTask(settings('late'), taskId)).toBeUndefined();
    expect(Number((await instanceOf(catalog, instanceId)).fence)).toBe(1);
  });

  it('is not had on a task that does not hold the slot, nor is such a task looked at', async () => {
    const instanceId = await newInstance(catalog);
    const holder = await fileBuild(catalog, instanceId);
    const removal = await fileRemove(catalog, instanceId);
    expect(await takeTask(settings('eager'), removal.taskId)).toBeUndefined();
    const due = await dueTasks(catalog, kinds, 100);
    expect(due).toContain(holder.taskId);
    expect(due).not.toContain(removal.taskId);
  });

  it('renews itself, and is over for good once another has taken the task', async () => {
    const { taskId } = await fileBuild(catalog, await newInstance(catalog));
    const own = settings('first', { leaseMs: 300 });
    const taken = await takeTask(own, taskId);
    if (taken === undefined) throw new Error('not taken');
    const lease = holdLease(own, taken);
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(lease.signal.aborted).toBe(false);
    await takeOver(taskId);
    await until('the loss', async () => lease.signal.aborted, 2000);
    await expect(lease.renew()).rejects.toMatchObject({ code: 'STALE_FENCE' });
    await expect(lease.ensure(100)).rejects.toMatchObject({ code: 'STALE_FENCE' });
    lease.stop();
  });

  it('that cannot be renewed ends the work under it at its end', async () => {
    const { taskId } = await fileBuild(catalog, await newInstance(catalog));
    const own = settings('first', { leaseMs: 200, clock: new NoSleepInBackground() });
    const taken = await takeTask(own, taskId);
    if (taken === undefined) throw new Error('not taken');
    const lease = holdLease(own, taken);
    await until('the end', async () => lease.signal.aborted, 2000);
    expect(lease.signal.reason).toMatchObject({ code: 'STALE_FENCE' });
    lease.stop();
  });

  it('lost just before an undo keeps it from undoing', async () => {
    const instanceId = await newInstance(catalog);
    const plan = { fails: { step: 'make_server', when: 'after', times: 9, permanent: true } } as const;
    const { taskId } = await fileBuild(catalog, instanceId, plan);
    const faults: Faults = async ({ at }) => {
      if (at === 'before_undo') await takeOver(taskId);
    };
    await expect(work(settings('first', { faults }), taskId)).rejects.toMatchObject({ code: 'STALE_FENCE' });
    expect(world.things(instanceId)).toHaveLength(3);
  });

  it('lost inside a step keeps its fenced writes and its output out of the catalog', async () => {
    const instanceId = await newInstance(catalog);
    const { taskId } = await fileBuild(catalog, instanceId);
    const write = async (context: StepContext): Promise<{ done: null }> => {
      await takeOver(taskId);
      await context.fenced((tx) => tx('instances').where({ id: instanceId }).update({ server_status: 'ZOMBIE' }));
      return { done: null };
    };
    await expect(work(settings('first', { kinds: [withStep(buildKind(world), write)] }), taskId)).rejects.toMatchObject(
      {
        code: 'STALE_FENCE',
      },
    );
    expect((await instanceOf(catalog, instanceId)).server_status).toBeNull();
    expect(await catalog.knex('task_steps').where({ task_id: taskId }).select('name', 'state')).toEqual([
      { name: 'make_secret', state: 'intent' },
    ]);
  });

  it('held: fenced writes reach the catalog', async () => {
    const instanceId = await newInstance(catalog);
    const { taskId } = await fileBuild(catalog, instanceId);
    const write = async (context: StepContext): Promise<{ done: null }> => {
      await context.fenced((tx) =>
        tx('instances')
          .where({ id: instanceId })
          .update({ hostname: `fence-${context.task.fence}` }),
      );
      return { done: null };
    };
    expect(await work(settings('first', { kinds: [withStep(buildKind(world), write)] }), taskId)).toMatchObject({
      is: 'ended',
    });
    expect((await instanceOf(catalog, instanceId)).hostname).toBe('fence-1');
  });

  it('a catalog that is away in a step does not count as its failure', async () => {
    const { taskId } = await fileBuild(catalog, await newInstance(catalog));
    const away = async (): Promise<never> => {
      throw new TroveError('CATALOG_UNAVAILABLE', 'The catalog cannot be reached.', { retryable: true });
    };
    await expect(work(settings('first', { kinds: [withStep(buildKind(world), away)] }), taskId)).rejects.toMatchObject({
      code: 'CATALOG_UNAVAILABLE',
    });
    expect(await catalog.knex('task_steps').where({ task_id: taskId }).select('state', 'attempts')).toEqual([
      { state: 'intent', attempts: 0 },
    ]);
  });

  async function work(own: WorkerSettings, taskId: string): Promise<unknown> {
    const taken = await takeTask(own, taskId);
    if (taken === undefined) throw new Error('not taken');
    return await workOn(own, taken);
  }
});

/** The kind with its first step's `run` replaced. */
function withStep(kind: TaskKind, run: Step['run']): TaskKind {
  return { ...kind, steps: (task) => kind.steps(task).map((step, index) => (index === 0 ? { ...step, run } : step)) };
}

/** Lets only the watch over the lease's end sleep, so that the lease is never renewed. */
class NoSleepInBackground implements Clock {
  readonly now = systemClock.now;
  readonly monotonic = systemClock.monotonic;

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return ms > 50 && ms < 100 ? systemClock.sleep(60_000, signal) : systemClock.sleep(ms, signal);
  }
}
