import { type Dialect, dbNow, withTransaction } from '@trove/catalog';
import { silentLogger, systemClock } from '@trove/common';
import { describe, expect, it } from 'vitest';
import { deadlineAt, ended, taskOf, until } from '../../test/house.ts';
import { buildKind } from '../../test/kinds.ts';
import { Workshop } from '../../test/workshop.ts';
import { wakeInstances } from '../filing/wake_instances.ts';
import type { StepContext, StepResult, TaskKind, Wait } from '../types.ts';
import { takeTask } from './lease.ts';
import type { Faults } from './options.ts';
import { type WorkerSettings, workOn } from './work_on.ts';

const NEVER_POLLS = { min: 60_000, max: 60_000 };
const HOUR_US = 3_600_000_000;

describe.each<Dialect>(['sqlite', 'mysql'])('a wait on %s', (dialect) => {
  const shop = new Workshop(dialect);

  async function wake(instanceId: string): Promise<void> {
    await withTransaction(shop.catalog, (tx) => wakeInstances(tx, [instanceId]));
  }

  /** The whole of one worker's turn at the task. */
  async function look(taskId: string, more: Partial<WorkerSettings> = {}): Promise<unknown> {
    const settings: WorkerSettings = {
      ...{ catalog: shop.catalog, kinds: shop.kinds, owner: 'one', leaseMs: 30_000 },
      ...{ clock: systemClock, logger: silentLogger, faults: () => undefined },
      draining: new AbortController().signal,
      parked: new Set(),
      ...more,
    };
    const taken = await takeTask(settings, taskId);
    if (taken === undefined) throw new Error('not taken');
    return await workOn(settings, taken);
  }

  /** Until the task is due, milliseconds; negative: it is. */
  async function dueIn(taskId: string): Promise<number> {
    const { knex } = shop.catalog;
    const left = knex.raw('wake_at - ? AS ??', [dbNow(knex), 'left']);
    const row: { left: string } = await knex('tasks').where({ id: taskId }).first(left);
    return Number(row.left) / 1000;
  }

  it('a wake that comes while the step runs is not lost, and counts at once', async () => {
    const { instanceId, taskId } = await shop.build({ wait_ms: 60_000 });
    let looks = 0;
    const faults: Faults = async ({ step, at }) => {
      if (step !== 'wait_ready' || at !== 'after_run') return;
      looks += 1;
      if (looks > 1) return;
      // It has looked and found nothing; now the world changes, and somebody says so.
      shop.world.create(instanceId, 'ready', instanceId);
      await wake(instanceId);
    };
    shop.engine({ faults, pollMs: NEVER_POLLS }).ring(taskId);
    expect((await ended(shop.catalog, taskId, 25_000)).state).toBe('done');
    expect(looks).toBe(2);
  });

  it('a wake at the very moment at which a task is put down is not lost, whichever comes first', async () => {
    for (let round = 0; round < 40; round += 1) {
      const { instanceId, taskId } = await shop.build({ wait_ms: 60_000 });
      let woken: Promise<void> | undefined;
      const faults: Faults = async ({ step, at }) => {
        if (step !== 'wait_ready' || at !== 'after_run') return;
        woken = wake(instanceId);
        if (round % 4 > 0) await new Promise((resolve) => setTimeout(resolve, round % 4));
      };
      await look(taskId, { faults });
      await woken;
      expect(await dueIn(taskId), `round ${round}`).toBeLessThanOrEqual(0);
    }
  });

  describe('what a try leaves open', () => {
    const QUESTION = { asked: 'how much' };
    const OUTCOME = { ...QUESTION, answered: 7 };

    /** `make_server` asks once and waits until an answer is noted; `seen` is what each try found noted. */
    function asking(seen: unknown[], left: { amend?: StepContext['amend'] }): TaskKind {
      const kind = buildKind(shop.world);
      const ask = async (context: StepContext): Promise<StepResult> => {
        seen.push(context.noted);
        if (context.noted === undefined) await context.note(QUESTION);
        left.amend ??= context.amend;
        return context.noted !== undefined && 'answered' in Object(context.noted)
          ? { done: null }
          : { wait: { ms: 60_000, progress: `look ${seen.length}` } };
      };
      return {
        ...kind,
        steps: (task) => kind.steps(task).map((step) => (step.name === 'make_server' ? { ...step, run: ask } : step)),
      };
    }

    it('is amended by whoever left it when its outcome comes, which wakes the task; and by nobody later', async () => {
      const [seen, left]: [unknown[], { amend?: StepContext['amend'] }] = [[], {}];
      const kinds = [asking(seen, left)];
      const { taskId } = await shop.build();
      await look(taskId, { kinds });
      expect(await dueIn(taskId)).toBeGreaterThan(30_000);
      expect(await left.amend?.({ asked: 'something else' }, OUTCOME)).toBe(false);
      expect(await left.amend?.(QUESTION, OUTCOME)).toBe(true);
      expect(await dueIn(taskId)).toBeLessThanOrEqual(0);
      expect(await left.amend?.(QUESTION, OUTCOME)).toBe(false);
      await look(taskId, { kinds, owner: 'another' });
      expect(seen).toEqual([undefined, OUTCOME]);
      expect(await left.amend?.(OUTCOME, QUESTION), 'the step has ended').toBe(false);
    });

    it('is not lost when another worker looks and puts the task down at that moment', async () => {
      const [seen, left]: [unknown[], { amend?: StepContext['amend'] }] = [[], {}];
      const kinds = [asking(seen, left)];
      const { instanceId, taskId } = await shop.build();
      await look(taskId, { kinds });
      await wake(instanceId);
      const faults: Faults = async ({ step, at }) => {
        if (step === 'make_server' && at === 'after_run' && seen.length === 2) await left.amend?.(QUESTION, OUTCOME);
      };
      expect(await look(taskId, { kinds, faults, owner: 'another' })).toEqual({ is: 'waiting', ms: 0 });
      await look(taskId, { kinds, owner: 'a third' });
      expect(seen).toEqual([undefined, QUESTION, OUTCOME]);
    });
  });

  it('a wake from before a step began makes it look no more often', async () => {
    const { instanceId, taskId } = await shop.build({ wait_ms: 60_000 });
    const faults: Faults = async ({ step, at }) => {
      if (step === 'make_server' && at === 'after_run') await wake(instanceId);
    };
    expect(await look(taskId, { faults })).toEqual({ is: 'waiting', ms: 60_000 });
    expect(await dueIn(taskId)).toBeGreaterThan(30_000);
  });

  function waitsFor(wait: Wait): readonly TaskKind[] {
    const kind = buildKind(shop.world);
    const steps = kind.steps;
    return [
      {
        ...kind,
        steps: (task) =>
          steps(task).map((step) => (step.name === 'wait_ready' ? { ...step, run: async () => ({ wait }) } : step)),
      },
    ];
  }

  it('grows with how long the step has waited, from its first to its longest', async () => {
    const kinds = waitsFor({ ms: 200, grows: { share: 0.1, capMs: 30_000 } });
    const { taskId } = await shop.build();
    expect(await look(taskId, { kinds })).toEqual({ is: 'waiting', ms: 200 });
    const { knex } = shop.catalog;
    const started = async (ago: number): Promise<void> => {
      const row = knex('task_steps').where({ task_id: taskId, name: 'wait_ready' });
      await row.update({ started: knex.raw('? - ?', [dbNow(knex), ago]) });
      await knex('tasks').where({ id: taskId }).update({ wake_at: 1 });
    };
    await started(60_000_000);
    const grown = (await look(taskId, { kinds })) as { ms: number };
    expect(grown.ms).toBeGreaterThanOrEqual(6000);
    expect(grown.ms).toBeLessThan(9000);
    const left = await dueIn(taskId);
    expect(left).toBeLessThanOrEqual(grown.ms + 1);
    expect(left).toBeGreaterThan(0);
    await started(HOUR_US);
    expect(await look(taskId, { kinds })).toEqual({ is: 'waiting', ms: 30_000 });
  });

  it('is over at the deadline, however long it was to last', async () => {
    shop.engine({ faults: deadlineAt(shop.catalog, 'wait_ready', 500) });
    const { taskId } = await shop.build({ wait_ms: 60_000 });
    const task = await ended(shop.catalog, taskId, 25_000);
    expect(JSON.parse(task.error ?? '')).toMatchObject({ message: expect.stringContaining('wait_ready') });
  });

  it('tells how far it is once, and again where that changes', async () => {
    const { taskId } = await shop.build({ wait_ms: 60_000 });
    const told = async (progress: string): Promise<string[]> => {
      await shop.catalog.knex('tasks').where({ id: taskId }).update({ wake_at: 1 });
      const written: string[] = [];
      const listen = ({ sql }: { sql: string }): void => void (/update .task_steps/.test(sql) && written.push(sql));
      shop.catalog.knex.on('query', listen);
      await look(taskId, { kinds: waitsFor({ ms: 60_000, progress }) });
      shop.catalog.knex.removeListener('query', listen);
      const row = await shop.catalog.knex('task_steps').where({ task_id: taskId, name: 'wait_ready' }).first('output');
      expect(JSON.parse(row.output)).toEqual({ progress });
      return written;
    };
    await told('a moment yet');
    expect([(await told('a moment yet')).length, (await told('nearly there')).length]).toEqual([0, 1]);
  });

  it('that finds nothing new takes eight round trips', async () => {
    const { taskId } = await shop.build({ wait_ms: 60_000 });
    await look(taskId);
    await shop.catalog.knex('tasks').where({ id: taskId }).update({ wake_at: 1 });
    const asked: string[] = [];
    const listen = ({ sql }: { sql: string }): void => void asked.push(sql.split(/\W/)[0]?.toUpperCase() ?? '');
    shop.catalog.knex.on('query', listen);
    expect(await look(taskId)).toEqual({ is: 'waiting', ms: 60_000 });
    shop.catalog.knex.removeListener('query', listen);
    expect(asked.join(' ')).toBe('BEGIN SELECT UPDATE UPDATE SELECT COMMIT SELECT UPDATE');
  });

  it('many that wake at once keep no new task waiting', { timeout: 120_000 }, async () => {
    const one = shop.engine({ concurrency: 2, pollMs: { min: 200, max: 200 } });
    const waiting = await Promise.all(Array.from({ length: 60 }, () => shop.build({ wait_ms: 60_000 })));
    await until('the waits', async () => (await stateOf(waiting)).every((state) => state === 'waiting'), 60_000);
    const ids = waiting.map(({ instanceId }) => instanceId);
    await withTransaction(shop.catalog, (tx) => wakeInstances(tx, ids));
    const quick = await shop.build();
    one.ring(quick.taskId);
    expect((await ended(shop.catalog, quick.taskId)).state).toBe('done');
    for (const { instanceId } of waiting) shop.world.create(instanceId, 'ready', instanceId);
    await withTransaction(shop.catalog, (tx) => wakeInstances(tx, ids));
    await Promise.all(waiting.map(({ taskId }) => ended(shop.catalog, taskId, 60_000)));
  });

  async function stateOf(tasks: readonly { taskId: string }[]): Promise<string[]> {
    return (await Promise.all(tasks.map(({ taskId }) => taskOf(shop.catalog, taskId)))).map(({ state }) => state);
  }
});

describe('a wake on mysql', () => {
  const shop = new Workshop('mysql');

  it('waits for a worker that is putting the task down, and then counts', async () => {
    const { instanceId, taskId } = await shop.build();
    const { knex } = shop.catalog;
    const later = knex.raw('? + ?', [dbNow(knex), 60_000_000]);
    await knex('tasks').where({ id: taskId }).update({ state: 'running' });
    const down = await knex.transaction();
    await down('tasks').where({ id: taskId }).update({ state: 'waiting', wake_at: later });
    const waking = withTransaction(shop.catalog, (tx) => wakeInstances(tx, [instanceId]));
    await new Promise((resolve) => setTimeout(resolve, 300));
    await down.commit();
    await waking;
    const row = await knex('tasks').where({ id: taskId }).where('wake_at', '<=', dbNow(knex)).first('state');
    expect(row).toEqual({ state: 'waiting' });
  });
});
