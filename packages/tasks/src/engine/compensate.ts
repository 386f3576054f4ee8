import { fullJitterMs } from '@trove/common';
import type { Step } from '../types.ts';
import { mayTurnBack, stepsNotDone, stepsToUndo } from './decide.ts';
import { endTask } from './end_task.ts';
import { writeUndone, writeUndoWait } from './journal.ts';
import { callOutside } from './outside_call.ts';
import { isPermanent, mustLetGo } from './run_step.ts';
import type { StoredError } from './task_row.ts';
import type { Outcome, Work } from './work.ts';

const RETRY_BASE_MS = 500;
const NOT_ALL_UNDONE: StoredError = {
  code: 'INTERNAL',
  message: 'The task was cancelled, but not all of it could be undone.',
};

/** Undoes the attempted steps, last first, and ends the task; an error of null is a cancel. */
export async function goBack(work: Work, error: StoredError | null): Promise<Outcome> {
  const { notUndone } = work;
  work.turnedBack = true;
  for (;;) {
    if (work.draining.aborted) return { is: 'drained' };
    const remaining = stepsToUndo(work.steps, work.journal);
    const step = remaining.find(({ name }) => !notUndone.has(name));
    if (step === undefined || work.standing.pastDeadline) return await endBack(work, error, remaining);
    const undone = await undoStep(work, step);
    if (undone === 'given up') notUndone.add(step.name);
    else if (undone !== undefined) return undone;
  }
}

function endBack(work: Work, error: StoredError | null, remaining: readonly Step[]): Promise<Outcome> {
  const turnedBack = mayTurnBack(work.steps, work.journal);
  const left = turnedBack ? remaining.map(({ name }) => name) : stepsNotDone(work.steps, work.journal);
  if (error === null && left.length === 0) return endTask(work, { state: 'cancelled' });
  return endTask(work, { state: 'failed', error: error ?? NOT_ALL_UNDONE, left });
}

/** A permanent error gives this step up, so that the others are undone all the same; any other is tried again until the deadline. */
async function undoStep(work: Work, step: Step): Promise<Outcome | 'given up' | undefined> {
  await work.faults({ taskId: work.task.id, kind: work.task.kind, step: step.name, at: 'before_undo' });
  // Compute and broker cannot refuse an old fence, so it is read again just before what cannot be taken back.
  await work.held.lease.renew();
  try {
    await callOutside(work, step, async (context) => await step.undo?.(context));
  } catch (error) {
    if (mustLetGo(work, error)) throw error;
    work.logger.warn('step not undone', { step: step.name, error });
    return isPermanent(error) ? 'given up' : await tryAgainLater(work, step);
  }
  await work.faults({ taskId: work.task.id, kind: work.task.kind, step: step.name, at: 'after_undo' });
  work.standing = await writeUndone(work.held, step.name);
  work.undoAttempts = 0;
  const entry = work.journal.get(step.name);
  if (entry !== undefined) work.journal.set(step.name, { ...entry, state: 'undone' });
  work.logger.info('step undone', { step: step.name });
  return undefined;
}

async function tryAgainLater(work: Work, step: Step): Promise<Outcome> {
  const attempt = work.undoAttempts + 1;
  const ms = fullJitterMs(attempt, RETRY_BASE_MS, step.retry.capMs);
  await writeUndoWait(work.held, ms, attempt);
  return { is: 'waiting', ms };
}
