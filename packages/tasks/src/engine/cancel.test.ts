import type { Dialect } from '@trove/catalog';
import { describe, expect, it } from 'vitest';
import { ended, fileRemove, instanceOf, journalOf, removeTask, taskOf, until } from '../../test/house.ts';
import { buildKind, removeKind } from '../../test/kinds.ts';
import { Workshop } from '../../test/workshop.ts';
import { fileDelete } from '../filing/file_delete.ts';
import type { Step, TaskKind } from '../types.ts';
import type { Faults } from './options.ts';

describe.each<Dialect>(['sqlite', 'mysql'])('a delete on %s', (dialect) => {
  const shop = new Workshop(dialect);

  async function checkGone(instanceId: string, removal: string): Promise<void> {
    expect((await ended(shop.catalog, removal)).state).toBe('done');
    expect(shop.world.things(instanceId)).toEqual([]);
    expect(await instanceOf(shop.catalog, instanceId)).toMatchObject({
      active_task_id: null,
      deleted: 1,
      server_status: 'GONE',
      volume_size: 2,
    });
  }

  it('cancels a build that is pending, of which nothing is then made', async () => {
    const { instanceId, taskId } = await shop.build();
    const removal = await fileRemove(shop.catalog, instanceId);
    shop.engine();
    await checkGone(instanceId, removal.taskId);
    expect((await taskOf(shop.catalog, taskId)).state).toBe('cancelled');
    expect(await journalOf(shop.catalog, taskId)).toEqual({});
  });

  it('cancels a build that runs, after the step under way', async () => {
    const { instanceId, taskId } = await shop.build();
    let removal = '';
    const faults: Faults = async ({ step, at }) => {
      if (step === 'make_volume' && at === 'before_run') removal = (await fileRemove(shop.catalog, instanceId)).taskId;
    };
    shop.engine({ faults });
    expect((await ended(shop.catalog, taskId)).state).toBe('cancelled');
    expect(await journalOf(shop.catalog, taskId)).toEqual({ make_secret: 'undone', make_volume: 'undone' });
    await checkGone(instanceId, removal);
  });

  it('cancels a build that waits, at once', async () => {
    shop.engine();
    const { instanceId, taskId } = await shop.build({ wait_ms: 60_000 });
    await until('the wait', async () => (await taskOf(shop.catalog, taskId)).state === 'waiting');
    const removal = await fileRemove(shop.catalog, instanceId);
    await checkGone(instanceId, removal.taskId);
    expect((await taskOf(shop.catalog, taskId)).state).toBe('cancelled');
  });

  it('undoes a step that never ended without its notes: whoever dies over it is followed by one that asks again', async () => {
    const seen: unknown[] = [];
    const build = buildKind(shop.world);
    const noting = (step: Step): Step => ({
      ...step,
      async run({ note }) {
        await note({ asked: 'run' });
        return { wait: { ms: 60_000 } };
      },
      async undo({ noted, note }) {
        seen.push(noted);
        await note({ asked: 'undo' });
      },
    });
    const steps: TaskKind['steps'] = (task) =>
      build.steps(task).map((step) => (step.name === 'wait_ready' ? noting(step) : step));
    let deaths = 0;
    const faults: Faults = ({ step, at }) => {
      if (step !== 'wait_ready' || at !== 'after_undo' || deaths === 1) return;
      deaths += 1;
      throw new Error('killed');
    };
    shop.engine({ kinds: [{ ...build, steps }, removeKind(shop.world)], faults, leaseMs: 300 });
    const { instanceId, taskId } = await shop.build();
    const noted = async (): Promise<string> => {
      const of = { task_id: taskId, name: 'wait_ready' };
      return (await shop.catalog.knex('task_steps').where(of).first('output'))?.output ?? '';
    };
    await until('the wait', async () => (await taskOf(shop.catalog, taskId)).state === 'waiting');
    const removal = await fileRemove(shop.catalog, instanceId);
    await checkGone(instanceId, removal.taskId);
    expect([deaths, seen]).toEqual([1, [undefined, undefined]]);
    expect(await noted()).toContain('"asked":"run"');
  });

  it('has its own time from when it gets the slot, however long its predecessor took', async () => {
    shop.engine();
    const { instanceId, taskId } = await shop.build({ wait_ms: 60_000 });
    await until('the wait', async () => (await taskOf(shop.catalog, taskId)).state === 'waiting');
    const { knex } = shop.catalog;
    const removal = await knex.transaction(async (tx) => {
      const filed = await fileDelete(tx, removeTask(instanceId));
      const past = knex.raw('created - ?', [7_200_000_000]);
      await tx('tasks')
        .where({ id: filed.taskId })
        .update({ created: past, deadline: knex.raw('deadline - ?', [7_200_000_000]) });
      return filed;
    });
    await checkGone(instanceId, removal.taskId);
  });

  it('cancels a build that is just about to wait', async () => {
    const { instanceId, taskId } = await shop.build({ wait_ms: 60_000 });
    let removal = '';
    const faults: Faults = async ({ step, at }) => {
      if (step === 'wait_ready' && at === 'after_run') removal = (await fileRemove(shop.catalog, instanceId)).taskId;
    };
    shop.engine({ faults });
    expect((await ended(shop.catalog, taskId)).state).toBe('cancelled');
    await checkGone(instanceId, removal);
  });

  it('lets a build that is being undone fail as it would, then runs', async () => {
    const plan = { fails: { step: 'make_server', when: 'after', times: 9, permanent: true } } as const;
    const { instanceId, taskId } = await shop.build(plan);
    let removal = '';
    const faults: Faults = async ({ step, at }) => {
      if (step === 'make_volume' && at === 'before_undo') removal = (await fileRemove(shop.catalog, instanceId)).taskId;
    };
    shop.engine({ faults });
    expect((await ended(shop.catalog, taskId)).state).toBe('failed');
    await checkGone(instanceId, removal);
  });

  it('lets a build past its last undoable step finish, then runs', async () => {
    const { instanceId, taskId } = await shop.build();
    let removal = '';
    const faults: Faults = async ({ step, at }) => {
      if (step === 'announce' && at === 'before_run') removal = (await fileRemove(shop.catalog, instanceId)).taskId;
    };
    shop.engine({ faults });
    expect((await ended(shop.catalog, taskId)).state).toBe('done');
    await checkGone(instanceId, removal);
  });

  it('that comes while its holder writes its end is not lost', async () => {
    const { instanceId } = await shop.build();
    let removal = '';
    const faults: Faults = async ({ kind, at }) => {
      if (kind === 'build' && at === 'before_end') removal = (await fileRemove(shop.catalog, instanceId)).taskId;
    };
    shop.engine({ faults });
    await until('the delete', async () => removal !== '');
    await checkGone(instanceId, removal);
  });

  it('waits for a holder that no worker knows how to resume', async () => {
    const { instanceId, taskId } = await shop.build();
    const removal = await fileRemove(shop.catalog, instanceId);
    shop.engine({ kinds: [removeKind(shop.world)] });
    await until('the mark', async () => (await taskOf(shop.catalog, taskId)).error !== null);
    expect((await taskOf(shop.catalog, removal.taskId)).state).toBe('pending');
    shop.engine({ kinds: [buildKind(shop.world)] });
    await checkGone(instanceId, removal.taskId);
  });
});
