import { fullJitterMs, isTroveError, toTroveError } from '@trove/common';
import type { Json, Step, StepResult, Wait } from '../types.ts';
import { mayLeave, mayTurnBack } from './decide.ts';
import { type PutDown, writeCompensating, writeDone, writeIntent, writeLeft, writeWait } from './journal.ts';
import { callOutside, stepToken } from './outside_call.ts';
import { type JournalEntry, unfinishedOutput } from './task_row.ts';
import type { Outcome, Work } from './work.ts';

const RETRY_BASE_MS = 500;
/** As after so many tries: at the cap. */
const AWAY_ATTEMPTS = 10;

/** One try of a step. Undefined where the task goes on from the journal as it now is. */
export async function runStep(work: Work, step: Step): Promise<Outcome | undefined> {
  const resumed = work.journal.has(step.name);
  const entry = await beginStep(work, step);
  await work.faults({ taskId: work.task.id, kind: work.task.kind, step: step.name, at: 'before_run' });
  let result: StepResult;
  try {
    result = await observeOrRun(work, step, resumed);
  } catch (error) {
    return await afterError(work, step, entry, error);
  }
  await work.faults({ taskId: work.task.id, kind: work.task.kind, step: step.name, at: 'after_run' });
  if ('done' in result) return await stepDone(work, step, entry, result.done);
  return await waitAsAsked(work, step, entry, result.wait);
}

async function waitAsAsked(work: Work, step: Step, entry: JournalEntry, wait: Wait): Promise<Outcome | undefined> {
  const { progress } = wait;
  const noted = work.journal.get(step.name)?.noted;
  const isTold = progress === undefined || progress === entry.progress;
  const changes = isTold ? null : { output: unfinishedOutput({ progress, noted }) };
  return await putDown(work, { step: step.name, ms: waitMs(work, entry, wait), changes, attempt: entry.attempts + 1 });
}

/** Both times are the database's; a step that began under this lease has not waited yet. */
function waitMs({ takenAt }: Work, { started }: JournalEntry, { ms, grows }: Wait): number {
  if (grows === undefined || started === undefined) return ms;
  const waitedMs = Number(takenAt - started) / 1000;
  return Math.max(ms, Math.min(waitedMs * grows.share, grows.capMs));
}

/** Gives up a step that only cleans up: what is left is written down, and the task goes on. */
export async function leaveStep(work: Work, step: Step): Promise<undefined> {
  const entry = await beginStep(work, step);
  try {
    await callOutside(work, step, async (context) => await step.leave?.(context));
  } catch (error) {
    if (mustLetGo(work, error)) throw error;
    work.logger.error('what a step leaves is not written down', { step: step.name, error });
  }
  work.standing = await writeLeft(work.held, step.name);
  work.journal.set(step.name, { ...entry, state: 'failed' });
  work.logger.warn('step left', { step: step.name });
}

async function beginStep(work: Work, step: Step): Promise<JournalEntry> {
  const begun = work.journal.get(step.name);
  if (begun !== undefined) return begun;
  const token = stepToken(work.task.id, step.name);
  const stepNames = work.steps.map(({ name }) => name);
  await writeIntent(work.held, step.name, token, stepNames);
  const entry: JournalEntry = {
    ...{ name: step.name, state: 'intent', token, attempts: 0 },
    ...{ output: null, progress: null, noted: undefined, started: undefined },
  };
  work.journal.set(step.name, entry);
  return entry;
}

/** On a resumed try the world is asked first what an earlier one made. */
async function observeOrRun(work: Work, step: Step, resumed: boolean): Promise<StepResult> {
  if (resumed && step.observe !== undefined) {
    const found = await callOutside(work, step, async (context) => await step.observe?.(context));
    if (found !== undefined) return { done: found };
  }
  return await callOutside(work, step, (context) => step.run(context));
}

async function stepDone(work: Work, step: Step, entry: JournalEntry, output: Json): Promise<undefined> {
  work.standing = await writeDone(work.held, step.name, output);
  work.journal.set(step.name, { ...entry, state: 'done', output });
  work.logger.info('step done', { step: step.name });
}

async function putDown(work: Work, down: Omit<PutDown, 'heedsCancel'>): Promise<Outcome | undefined> {
  const heedsCancel = mayTurnBack(work.steps, work.journal);
  const written = await writeWait(work.held, { ...down, heedsCancel });
  if (written === 'waiting') return { is: 'waiting', ms: down.ms };
  if (written === 'woken') return { is: 'waiting', ms: 0 };
  work.standing = written;
  return undefined;
}

async function afterError(work: Work, step: Step, entry: JournalEntry, error: unknown): Promise<Outcome | undefined> {
  if (mustLetGo(work, error)) throw error;
  // A bus that is away is not the step's failure: it is tried until the task's deadline, and that counts as no try. One that
  // only cleans up does not wait for it: what it leaves is taken away later.
  const canLeave = mayLeave(work.steps, work.journal, step);
  const isAway = isTroveError(error, 'BUS_UNAVAILABLE') && !canLeave;
  const attempts = entry.attempts + (isAway ? 0 : 1);
  const forGood = isPermanent(error) || (!isAway && attempts >= step.retry.attempts);
  work.logger.warn('step failed', { step: step.name, attempts, for_good: forGood, error });
  if (!forGood) {
    work.journal.set(step.name, { ...entry, attempts });
    const ms = fullJitterMs(isAway ? AWAY_ATTEMPTS : attempts, RETRY_BASE_MS, step.retry.capMs);
    return await putDown(work, { step: step.name, ms, changes: { attempts }, attempt: attempts + 1 });
  }
  if (canLeave) return await leaveStep(work, step);
  const { code, message } = toTroveError(error, `Step "${step.name}" failed.`);
  await writeCompensating(work.held, step.name, { code, message }, work.kind.compensationDeadlineMs);
  work.journal.set(step.name, { ...entry, attempts, state: 'failed' });
  work.standing = { ...work.standing, pastDeadline: false };
  return { is: 'compensating', error: { code, message } };
}

/**
 * The lease is gone, here or as a guest with a newer fence says: nothing more may be written. Or the catalog is away: then
 * nothing can be, and it is not the step's failure.
 */
export function mustLetGo(work: Work, error: unknown): boolean {
  return (
    work.held.lease.signal.aborted || isTroveError(error, 'STALE_FENCE') || isTroveError(error, 'CATALOG_UNAVAILABLE')
  );
}

export function isPermanent(error: unknown): boolean {
  return isTroveError(error) && !error.retryable;
}
