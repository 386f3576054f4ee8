import { randomFraction } from '@trove/common';
import type { TaskKind } from '../types.ts';
import { goBack } from './compensate.ts';
import { nextMove, unknownStep } from './decide.ts';
import { parkedError } from './due.ts';
import { endTask } from './end_task.ts';
import { type Held, readJournal, releaseLease, writeCompensating, writeParked } from './journal.ts';
import { holdLease, type Lease, type LeaseSettings, type TakenTask } from './lease.ts';
import type { Faults } from './options.ts';
import { leaveStep, runStep } from './run_step.ts';
import { storedError, toTask } from './task_row.ts';
import type { Outcome, Work } from './work.ts';

/** Short and jittered: in a rolling upgrade a worker that knows the step may stand beside this one. */
const PARKED_MS = { least: 1000, most: 2000 };
/** More than these a worker does not remember: it looks at the first of them again. */
const PARKED_AT_MOST = 1000;

export interface WorkerSettings extends LeaseSettings {
  readonly faults: Faults;
  readonly draining: AbortSignal;
  /** Tasks that this worker has parked, the first first: it looks at none of them again while they are marked as parked. */
  readonly parked: Set<string>;
}

/** Why work is given up when the engine closes and the grace time is over. */
export class GraceOver extends Error {}

/**
 * Works on a taken task until it ends, waits or must be left to others. Rejects with `STALE_FENCE` where the lease was lost,
 * and with any error that is not a step's: the lease is then left to run out, which is what spaces the tries.
 */
export async function workOn(
  settings: WorkerSettings,
  taken: TakenTask,
  onLease?: (lease: Lease) => void,
): Promise<Outcome> {
  const lease = holdLease(settings, taken);
  onLease?.(lease);
  const held: Held = { catalog: settings.catalog, owner: settings.owner, lease };
  try {
    const outcome = await proceed(settings, held, taken);
    if (outcome.is === 'drained') await releaseLease(held);
    return outcome;
  } catch (error) {
    if (!(lease.signal.reason instanceof GraceOver)) throw error;
    await releaseLease(held);
    return { is: 'drained' };
  } finally {
    lease.stop();
  }
}

async function proceed(settings: WorkerSettings, held: Held, taken: TakenTask): Promise<Outcome> {
  const { row, standing } = taken;
  const kind = kindOf(settings.kinds, row.kind);
  const task = toTask(row);
  const journal = await readJournal(held);
  const steps = kind.steps(task);
  const unknown = unknownStep(steps, journal);
  const logger = settings.logger.child({ task_id: task.id, task_kind: task.kind, instance_id: task.instanceId });
  if (unknown !== undefined) {
    logger.warn('task parked: its journal has a step that this release does not know', { step: unknown });
    const error = parkedError(`this release has no step "${unknown}" of task kind "${task.kind}"`);
    const ms = PARKED_MS.least + randomFraction() * (PARKED_MS.most - PARKED_MS.least);
    await writeParked(held, { ...error, before: storedError(row.error) }, Math.ceil(ms), task.state);
    remember(settings.parked, task.id);
    return { is: 'parked' };
  }
  // Of a thousand that wait, dozens look each second.
  logger[taken.waited ? 'debug' : 'info']('task taken', { state: task.state, fence: task.fence.toString() });
  const { faults, draining } = settings;
  const undoAttempts = task.state === 'compensating' ? task.attempt : 0;
  const going = { standing, takenAt: taken.takenAt, undoAttempts, turnedBack: false, notUndone: new Set<string>() };
  return await advance({ held, kind, task, steps, logger, faults, draining, journal, ...going });
}

async function advance(work: Work): Promise<Outcome> {
  if (work.task.state === 'compensating') return await goBack(work, work.task.error);
  const outcome = await goForward(work);
  return outcome.is === 'compensating' ? await goBack(work, outcome.error) : outcome;
}

async function goForward(work: Work): Promise<Outcome> {
  for (;;) {
    if (work.draining.aborted) return { is: 'drained' };
    const move = nextMove(work.steps, work.journal, work.standing);
    if (move.do === 'finish') return await endTask(work, { state: 'done' });
    if (move.do === 'compensate') {
      await writeCompensating(work.held, null, move.error, work.kind.compensationDeadlineMs);
      work.standing = { ...work.standing, pastDeadline: false };
      return { is: 'compensating', error: move.error };
    }
    const outcome = move.do === 'leave' ? await leaveStep(work, move.step) : await runStep(work, move.step);
    if (outcome !== undefined) return outcome;
  }
}

function remember(parked: Set<string>, taskId: string): void {
  parked.add(taskId);
  const [first] = parked;
  if (first !== undefined && parked.size > PARKED_AT_MOST) parked.delete(first);
}

function kindOf(kinds: readonly TaskKind[], name: string): TaskKind {
  const kind = kinds.find((one) => one.kind === name);
  if (kind === undefined) throw new RangeError('a task of a kind that was not asked for');
  return kind;
}
