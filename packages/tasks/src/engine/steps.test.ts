import { type Dialect, dbNow } from '@trove/catalog';
import { TroveError } from '@trove/common';
import { describe, expect, it } from 'vitest';
import { hang } from '../../test/hang.ts';
import { deadlineAt, ended, instanceOf, journalOf, taskOf, until } from '../../test/house.ts';
import { buildKind } from '../../test/kinds.ts';
import { Workshop } from '../../test/workshop.ts';
import type { Step, TaskKind } from '../types.ts';

function withStep(kind: TaskKind, name: string, change: (step: Step) => Step): TaskKind {
  return { ...kind, steps: (task) => kind.steps(task).map((step) => (step.name === name ? change(step) : step)) };
}

const ALL_MADE = [/^announcement\./, /^secret\./, /^server\./, /^volume\./];

describe.each<Dialect>(['sqlite', 'mysql'])('a task on %s', (dialect) => {
  const shop = new Workshop(dialect);

  it('a task runs its steps in order, ends once and gives the slot back', async () => {
    shop.engine();
    const { instanceId, taskId } = await shop.build();
    expect(await ended(shop.catalog, taskId)).toMatchObject({
      state: 'done',
      error: null,
      lease_owner: null,
      lease_until: null,
    });
    expect(Object.keys(await journalOf(shop.catalog, taskId))).toHaveLength(5);
    expect(await instanceOf(shop.catalog, instanceId)).toMatchObject({
      active_task_id: null,
      server_status: 'ACTIVE',
      volume_size: 1,
    });
    expect(shop.world.things(instanceId)).toEqual(ALL_MADE.map((name) => expect.stringMatching(name)));
  });

  it.each(['before', 'after'] as const)(
    'a step that fails %s its effect is tried again and has it once',
    async (when) => {
      shop.engine();
      const { instanceId, taskId } = await shop.build({
        fails: { step: 'make_volume', when, times: 2, permanent: false },
      });
      expect((await ended(shop.catalog, taskId)).state).toBe('done');
      const steps = await shop.catalog
        .knex('task_steps')
        .where({ task_id: taskId, name: 'make_volume' })
        .first('attempts', 'state');
      // After its effect, the second try observes what the first one made.
      expect(steps).toEqual({ attempts: when === 'before' ? 2 : 1, state: 'done' });
      expect(shop.world.changes().filter((line) => line.startsWith(`${instanceId} create volume`))).toHaveLength(1);
    },
  );

  it('a permanent failure undoes the attempted steps backwards and says why', async () => {
    shop.engine();
    const { instanceId, taskId } = await shop.build({
      fails: { step: 'make_server', when: 'after', times: 9, permanent: true },
    });
    const task = await ended(shop.catalog, taskId);
    expect(task.state).toBe('failed');
    expect(JSON.parse(task.error ?? '')).toEqual({
      code: 'COMPUTE_ERROR',
      message: 'The outside world said no.',
      left: [],
    });
    expect(
      shop.world
        .changes()
        .filter((line) => line.startsWith(`${instanceId} remove`))
        .map((line) => line.split(' ')[2]),
    ).toEqual(['server', 'volume', 'secret']);
    expect(await journalOf(shop.catalog, taskId)).toEqual({
      make_secret: 'undone',
      make_volume: 'undone',
      make_server: 'undone',
    });
    expect(await instanceOf(shop.catalog, instanceId)).toMatchObject({
      active_task_id: null,
      server_status: 'ERROR',
      volume_size: 1,
    });
  });

  it('a step that goes on failing fails for good after its tries', async () => {
    shop.engine();
    const { instanceId, taskId } = await shop.build({
      fails: { step: 'make_server', when: 'before', times: 9, permanent: false },
    });
    expect((await ended(shop.catalog, taskId)).state).toBe('failed');
    expect(shop.world.things(instanceId)).toEqual([]);
    const step = await shop.catalog
      .knex('task_steps')
      .where({ task_id: taskId, name: 'make_server' })
      .first('attempts');
    expect(step).toEqual({ attempts: 4 });
  });

  it('a step that finds the bus away is tried for as long as that lasts, whatever its number of tries', async () => {
    let left = 9;
    const away = (step: Step): Step => ({
      ...step,
      run: (context) => {
        left -= 1;
        if (left > 0) throw new TroveError('BUS_UNAVAILABLE', 'The message bus is not available.', { retryable: true });
        return step.run(context);
      },
    });
    shop.engine({ kinds: [withStep(buildKind(shop.world), 'make_server', away)] });
    const { taskId } = await shop.build();
    expect((await ended(shop.catalog, taskId)).state).toBe('done');
    expect(left).toBe(0);
    const step = await shop.catalog
      .knex('task_steps')
      .where({ task_id: taskId, name: 'make_server' })
      .first('attempts');
    expect(step).toEqual({ attempts: 0 });
  });

  it('past the last undoable step a failure leaves everything as it is and names what is not done', async () => {
    shop.engine();
    const { instanceId, taskId } = await shop.build({
      fails: { step: 'announce', when: 'before', times: 9, permanent: true },
    });
    const task = await ended(shop.catalog, taskId);
    expect(task.state).toBe('failed');
    expect(JSON.parse(task.error ?? '')).toMatchObject({ left: ['announce'] });
    expect(shop.world.things(instanceId)).toHaveLength(3);
  });

  it('an undo that fails is tried again, and the task still ends as it should', async () => {
    shop.engine();
    const { instanceId, taskId } = await shop.build({
      fails: { step: 'make_server', when: 'before', times: 9, permanent: true },
      undo_fails: { step: 'make_volume', times: 2, permanent: false },
    });
    expect(JSON.parse((await ended(shop.catalog, taskId)).error ?? '')).toMatchObject({ left: [] });
    expect(shop.world.things(instanceId)).toEqual([]);
  });

  it('an undo that fails for good is named, and the others are undone all the same', async () => {
    shop.engine();
    const { instanceId, taskId } = await shop.build({
      fails: { step: 'make_server', when: 'before', times: 9, permanent: true },
      undo_fails: { step: 'make_volume', times: 99, permanent: true },
    });
    expect(JSON.parse((await ended(shop.catalog, taskId)).error ?? '')).toMatchObject({ left: ['make_volume'] });
    expect(shop.world.things(instanceId)).toEqual([expect.stringMatching(/^volume\./)]);
    expect((await instanceOf(shop.catalog, instanceId)).hostname).toBe('make_volume');
  });

  it('a task past its deadline is undone and says where it stood', async () => {
    shop.engine({ faults: deadlineAt(shop.catalog, 'wait_ready', 300) });
    const { instanceId, taskId } = await shop.build({ wait_ms: 50 });
    const task = await ended(shop.catalog, taskId);
    expect(task.state).toBe('failed');
    expect(JSON.parse(task.error ?? '')).toMatchObject({ message: expect.stringContaining('wait_ready'), left: [] });
    expect(shop.world.things(instanceId)).toEqual([]);
  });

  it('a compensation past its own deadline fails and names what is left', async () => {
    shop.engine({ kinds: [{ ...buildKind(shop.world), compensationDeadlineMs: 150 }] });
    const { instanceId, taskId } = await shop.build({
      fails: { step: 'make_server', when: 'before', times: 9, permanent: true },
      undo_fails: { step: 'make_volume', times: 999, permanent: false },
    });
    expect(JSON.parse((await ended(shop.catalog, taskId)).error ?? '')).toMatchObject({
      left: ['make_volume', 'make_secret'],
    });
    expect(shop.world.things(instanceId)).toHaveLength(2);
  });

  it('a step that outlives its time-out is tried again', async () => {
    let tries = 0;
    const slow = withStep(buildKind(shop.world), 'make_server', (step) => ({
      ...step,
      timeoutMs: 80,
      run: (context) => (++tries === 1 ? hang(context.signal) : step.run(context)),
    }));
    shop.engine({ kinds: [slow] });
    const { taskId } = await shop.build();
    expect((await ended(shop.catalog, taskId)).state).toBe('done');
    expect(tries).toBe(2);
  });

  it('a call longer than the lease is covered by renewals, and never by more than one lease', async () => {
    const leases = new Set<string>();
    const usual = buildKind(shop.world);
    const long = withStep(usual, 'make_server', (step) => ({
      ...step,
      timeoutMs: 60_000,
      async run(context) {
        await until('two renewals', async () => {
          const row = await readLease(context.task.id);
          expect(Number(row.left)).toBeLessThanOrEqual(600_000);
          leases.add(row.lease_until);
          return leases.size >= 3;
        });
        return await step.run(context);
      },
    }));
    shop.engine({ kinds: [long], leaseMs: 600 });
    const { taskId } = await shop.build();
    expect(await ended(shop.catalog, taskId)).toMatchObject({ state: 'done', fence: expect.anything() });
    expect(Number((await taskOf(shop.catalog, taskId)).fence), 'the same worker all the time').toBe(1);
  });

  async function readLease(id: string): Promise<{ lease_until: string; left: string }> {
    const { knex } = shop.catalog;
    return await knex('tasks')
      .where({ id })
      .first('lease_until', knex.raw('lease_until - ? AS ??', [dbNow(knex), 'left']));
  }

  it('what a try noted is there for the next, and gone when the step is done', async () => {
    const seen: unknown[] = [];
    const noting = withStep(buildKind(shop.world), 'make_server', (step) => ({
      ...step,
      async run(context) {
        seen.push(context.noted);
        if (context.noted === undefined) {
          await context.note({ sent: 'once' });
          throw new TroveError('COMPUTE_ERROR', 'No answer.', { retryable: true });
        }
        if (seen.length === 2) return { wait: { ms: 10, progress: 'looking' } };
        return await step.run(context);
      },
    }));
    shop.engine({ kinds: [noting] });
    const { taskId } = await shop.build();
    expect((await ended(shop.catalog, taskId)).state).toBe('done');
    expect(seen).toEqual([undefined, { sent: 'once' }, { sent: 'once' }]);
    const row = await shop.catalog.knex('task_steps').where({ task_id: taskId, name: 'make_server' }).first('output');
    expect(JSON.parse(row.output)).toEqual({ server: expect.any(String) });
  });

  describe('a step that only cleans up', () => {
    /** `announce` is the last step and has no undo. */
    const cleaning = (fail: Step['run'], left: string[]): TaskKind =>
      withStep(buildKind(shop.world), 'announce', ({ name, timeoutMs, retry }) => ({
        ...{ name, timeoutMs, retry },
        run: fail,
        leave: async ({ task, fenced }) => {
          left.push(task.id);
          await fenced((tx) => tx('instances').where({ id: task.instanceId }).update({ hostname: 'left' }));
        },
      }));
    const refuse = async (): Promise<never> => {
      throw new TroveError('COMPUTE_ERROR', 'It stays.');
    };

    it.each([
      ['fails for good', refuse, 600_000],
      ['is not done at the deadline', async () => ({ wait: { ms: 30 } }), 300],
    ] as const)('and %s writes down what is left, and the task is done', async (_, run, deadlineMs) => {
      const left: string[] = [];
      shop.engine({ kinds: [cleaning(run, left)], faults: deadlineAt(shop.catalog, 'announce', deadlineMs) });
      const { instanceId, taskId } = await shop.build();
      expect(await ended(shop.catalog, taskId)).toMatchObject({ state: 'done', error: null });
      expect(left).toEqual([taskId]);
      expect(await journalOf(shop.catalog, taskId)).toMatchObject({ make_server: 'done', announce: 'failed' });
      expect(await instanceOf(shop.catalog, instanceId)).toMatchObject({ server_status: 'ACTIVE', hostname: 'left' });
    });

    it('is tried again before it is given up', async () => {
      const left: string[] = [];
      let tries = 0;
      const away = async (): Promise<never> => {
        tries += 1;
        throw new TroveError('COMPUTE_ERROR', 'Not now.', { retryable: true });
      };
      shop.engine({ kinds: [cleaning(away, left)] });
      expect((await ended(shop.catalog, (await shop.build()).taskId)).state).toBe('done');
      expect([tries, left.length]).toEqual([4, 1]);
    });
  });
});
