import { TroveError, uuidV5 } from '@trove/common';
import type { Knex } from 'knex';
import type { Json, Step, StepContext } from '../types.ts';
import { amendNote, fencedTransaction, writeNote } from './journal.ts';
import type { Journal, JournalEntry } from './task_row.ts';
import type { Work } from './work.ts';

/** The same in each try, on each worker. */
export function stepToken(taskId: string, stepName: string): string {
  return uuidV5(taskId, stepName);
}

/**
 * Makes one call of a step's functions. It does not start with less lease left than the step's time-out or the whole length;
 * a longer one is covered by renewals. It is given up at its time-out (a retryable error: its outcome is unknown) and when
 * the lease ends (`STALE_FENCE`).
 */
export async function callOutside<T>(work: Work, step: Step, use: (context: StepContext) => Promise<T>): Promise<T> {
  const { lease } = work.held;
  await lease.ensure(step.timeoutMs);
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort(new TroveError('INTERNAL', `Step "${step.name}" did not end in time.`, { retryable: true }));
  }, step.timeoutMs);
  const signal = AbortSignal.any([late.signal, lease.signal]);
  const given = Promise.withResolvers<never>();
  const giveUp = (): void => given.reject(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([use(contextOf(work, step, signal)), given.promise]);
  } catch (error) {
    // What a call rejects with when it is aborted says less than why it was aborted.
    throw signal.aborted ? signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  }
}

function contextOf(work: Work, step: Step, signal: AbortSignal): StepContext {
  const entry = work.journal.get(step.name);
  return {
    task: work.task,
    token: stepToken(work.task.id, step.name),
    outputs: outputsOf(work.journal),
    attempt: (entry?.attempts ?? 0) + 1,
    notUndone: work.notUndone,
    signal,
    logger: work.logger.child({ step: step.name }),
    fenced<T>(change: (tx: Knex.Transaction) => Promise<T>): Promise<T> {
      signal.throwIfAborted();
      return fencedTransaction(work.held, change);
    },
    noted: isForward(work, entry) ? entry?.noted : undefined,
    async note(value) {
      signal.throwIfAborted();
      const now = work.journal.get(step.name);
      if (now === undefined || !isForward(work, now)) return;
      await writeNote(work.held, step.name, { progress: now.progress, noted: value });
      work.journal.set(step.name, { ...now, noted: value ?? undefined });
    },
    amend: (noted, value) => amendNote(work.held, step.name, noted, value),
  };
}

/**
 * An undo has no notes, also of a step that never ended: what it asks for may be asked for again, and one that died between
 * its note and its call would be taken for one that has asked.
 */
function isForward({ turnedBack }: Work, entry: JournalEntry | undefined): boolean {
  return !turnedBack && entry?.state === 'intent';
}

/** Of the steps that were done, the undone ones too: an undo may need what a later step had found out. */
export function outputsOf(journal: Journal): Record<string, Json> {
  const ended = ([, { state }]: readonly [string, JournalEntry]): boolean => state === 'done' || state === 'undone';
  return Object.fromEntries([...journal].filter(ended).map(([name, { output }]) => [name, output]));
}
