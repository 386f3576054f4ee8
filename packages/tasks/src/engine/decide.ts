import type { Step } from '../types.ts';
import type { Journal, StoredError } from './task_row.ts';

/** What others may have changed on the task's row while a step ran. */
export interface Standing {
  readonly cancelRequested: boolean;
  readonly pastDeadline: boolean;
}

export type Move =
  | { readonly do: 'run'; readonly step: Step }
  | { readonly do: 'compensate'; readonly error: StoredError | null }
  | { readonly do: 'leave'; readonly step: Step }
  | { readonly do: 'finish' };

/** What a task that goes forward does next. A cancel counts until the last undoable step is done; an error of null is a cancel. */
export function nextMove(steps: readonly Step[], journal: Journal, standing: Standing): Move {
  const next = steps.find((step) => !isDone(journal, step));
  if (next === undefined) return { do: 'finish' };
  if (standing.cancelRequested && mayTurnBack(steps, journal)) return { do: 'compensate', error: null };
  if (standing.pastDeadline && mayLeave(steps, journal, next)) return { do: 'leave', step: next };
  if (standing.pastDeadline) {
    const message = `The task did not end within its deadline; it stood at step "${next.name}".`;
    return { do: 'compensate', error: { code: 'INTERNAL', message } };
  }
  return { do: 'run', step: next };
}

/** The attempted steps to undo, last first; none once the last undoable step is done. */
export function stepsToUndo(steps: readonly Step[], journal: Journal): readonly Step[] {
  if (!mayTurnBack(steps, journal)) return [];
  return steps.filter((step) => step.undo !== undefined && isAttempted(journal, step)).reverse();
}

/** The names of the steps that were not reached or not ended, of a task that can no longer turn back. */
export function stepsNotDone(steps: readonly Step[], journal: Journal): readonly string[] {
  return steps.filter((step) => !isDone(journal, step)).map((step) => step.name);
}

/**
 * Whether some undoable step is not done yet. Undoing keeps the answer the same, so it holds for a worker that takes a
 * half-undone task over. A task that has not begun may always turn back; one that has begun what comes behind never, also where
 * a newer release has put an undoable step in that the task, begun by an older one, has not done.
 */
export function mayTurnBack(steps: readonly Step[], journal: Journal): boolean {
  if (journal.size === 0) return true;
  const behind = steps.findLastIndex((step) => step.undo !== undefined) + 1;
  if (steps.slice(behind).some(({ name }) => journal.has(name))) return false;
  return steps.slice(0, behind).some((step) => !isDone(journal, step));
}

/** Whether the task may go on without this step having succeeded. */
export function mayLeave(steps: readonly Step[], journal: Journal, step: Step): boolean {
  return step.leave !== undefined && !mayTurnBack(steps, journal);
}

/** A step in the journal that this release does not have; undefined where it knows them all. */
export function unknownStep(steps: readonly Step[], journal: Journal): string | undefined {
  const known = new Set(steps.map((step) => step.name));
  return [...journal.keys()].find((name) => !known.has(name));
}

/** A step that only cleans up is over when it has failed: what it left is written down. */
function isDone(journal: Journal, step: Step): boolean {
  const state = journal.get(step.name)?.state;
  return state === 'done' || (state === 'failed' && step.leave !== undefined);
}

function isAttempted(journal: Journal, step: Step): boolean {
  const state = journal.get(step.name)?.state;
  return state !== undefined && state !== 'undone';
}
