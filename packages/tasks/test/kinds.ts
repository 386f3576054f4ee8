import { TroveError } from '@trove/common';
import type { Knex } from 'knex';
import type { Step, StepContext, Task, TaskEnd, TaskKind } from '../src/index.ts';
import type { World } from './world.ts';

/** How a `build` is to go; the rest goes well. Members of the task's `params`. */
export interface BuildPlan {
  /** This step fails so many times, before or after its effect; `permanent` fails it for good. */
  fails?: { step: string; when: 'before' | 'after'; times: number; permanent: boolean };
  /** The undo of this step fails so many times. */
  undo_fails?: { step: string; times: number; permanent: boolean };
  /** `wait_ready` looks for the thing `ready` and else waits so long. Without it there is no waiting. */
  wait_ms?: number;
}

export const MADE = ['secret', 'volume', 'server'] as const;

/** `build` makes three things, waits, and announces itself, from where it only goes forward. `remove` takes them away. */
export function fixtureKinds(world: World): readonly TaskKind[] {
  return [buildKind(world), removeKind(world)];
}

export function buildKind(world: World, codeVersion = 1): TaskKind {
  const undoTries = new Map<string, number>();
  const steps = [...MADE.map((thing) => make(world, thing, undoTries)), waitReady(world), announce(world)];
  return {
    kind: 'build',
    codeVersion,
    deadlineMs: 600_000,
    compensationDeadlineMs: 600_000,
    steps: () => steps,
    onDone: (tx, end) => endInstance(tx, end, { server_status: 'ACTIVE' }),
    onFailed: (tx, end) => endInstance(tx, end, { server_status: 'ERROR', hostname: end.left.join(',') }),
    onCancelled: (tx, end) => endInstance(tx, end, { server_status: 'CANCELLED' }),
  };
}

export function removeKind(world: World): TaskKind {
  const things = ['announcement', ...MADE.toReversed()];
  const steps = things.map((thing): Step => {
    const drop = async ({ task }: StepContext): Promise<{ done: null }> => {
      world.remove(task.instanceId, thing);
      return { done: null };
    };
    return { name: `drop_${thing}`, run: drop, timeoutMs: 1000, retry: { attempts: 3, capMs: 20 } };
  });
  return {
    kind: 'remove',
    codeVersion: 1,
    deadlineMs: 600_000,
    compensationDeadlineMs: 600_000,
    steps: () => steps,
    onDone: (tx, end) => endInstance(tx, end, { server_status: 'GONE', deleted: 1 }),
    onFailed: (tx, end) => endInstance(tx, end, { server_status: 'ERROR' }),
    onCancelled: (tx, end) => endInstance(tx, end, { server_status: 'ACTIVE' }),
  };
}

/** Counts the ends in `volume_size`, so that a test sees one that took place twice. */
async function endInstance(
  tx: Knex.Transaction,
  { task }: TaskEnd,
  values: Record<string, string | number>,
): Promise<void> {
  await tx('instances')
    .where({ id: task.instanceId })
    .update({ ...values, volume_size: tx.raw('COALESCE(volume_size, 0) + 1') });
}

function make(world: World, thing: string, undoTries: Map<string, number>): Step {
  const name = `make_${thing}`;
  return {
    name,
    timeoutMs: 1000,
    retry: { attempts: 4, capMs: 20 },
    async run(context) {
      failAsPlanned(context, name, 'before');
      if (!world.create(context.task.instanceId, thing, context.token)) throw new Error(`${thing} was made twice`);
      failAsPlanned(context, name, 'after');
      return { done: { [thing]: context.token } };
    },
    async observe({ task, token }) {
      return world.has(task.instanceId, thing, token) ? { [thing]: token } : undefined;
    },
    async undo({ task, token }) {
      const tries = (undoTries.get(token) ?? 0) + 1;
      undoTries.set(token, tries);
      const plan = planOf(task).undo_fails;
      if (plan?.step === name && tries <= plan.times) throw fault(plan.permanent);
      world.remove(task.instanceId, thing, token);
    },
  };
}

function waitReady(world: World): Step {
  return {
    name: 'wait_ready',
    timeoutMs: 1000,
    retry: { attempts: 4, capMs: 20 },
    async run(context) {
      failAsPlanned(context, 'wait_ready', 'before');
      const { task } = context;
      const ms = planOf(task).wait_ms;
      if (ms === undefined || world.has(task.instanceId, 'ready', task.instanceId)) return { done: null };
      return { wait: { ms, progress: 'waiting for readiness' } };
    },
    async undo() {},
  };
}

function announce(world: World): Step {
  return {
    name: 'announce',
    timeoutMs: 1000,
    retry: { attempts: 4, capMs: 20 },
    async run(context) {
      failAsPlanned(context, 'announce', 'before');
      world.create(context.task.instanceId, 'announcement', context.token);
      return { done: null };
    },
    async observe({ task, token }) {
      return world.has(task.instanceId, 'announcement', token) ? null : undefined;
    },
  };
}

function failAsPlanned({ task, attempt }: StepContext, step: string, when: 'before' | 'after'): void {
  const plan = planOf(task).fails;
  if (plan?.step === step && plan.when === when && attempt <= plan.times) throw fault(plan.permanent);
}

function fault(permanent: boolean): TroveError {
  return new TroveError('COMPUTE_ERROR', 'The outside world said no.', { retryable: !permanent });
}

function planOf(task: Task): BuildPlan {
  return task.params;
}
