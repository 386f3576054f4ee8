import type { TaskReading, TaskStepReading } from '@trove/catalog';
import type { Task } from '@trove/contracts';
import { timeOf } from './time.ts';

type Step = Task['steps'][number];

/** A task as its tenant sees it. */
export function taskView(row: TaskReading): Task {
  const steps = stepsOf(row);
  const error = row.error === null ? null : (JSON.parse(row.error) as { code: string; message: string });
  return {
    id: row.id,
    kind: row.kind,
    instance_id: row.instance_id,
    state: row.state,
    step: row.step,
    steps_done: steps.filter(({ state }) => state === 'done').length,
    steps_total: steps.length,
    steps,
    cancel_requested: row.cancel_requested === 1,
    unattended_since: row.unattended_since === null ? null : timeOf(row.unattended_since),
    ...(error !== null && { error: { code: error.code, message: error.message } }),
    deadline: timeOf(row.deadline),
    created: timeOf(row.created),
    updated: timeOf(row.updated),
  };
}

/** All steps in order: those that have begun from the journal, the others by their names alone. */
function stepsOf(row: TaskReading): Step[] {
  const begun = new Map(row.steps.map((step) => [step.name, step]));
  const known = row.step_names === null ? [] : (JSON.parse(row.step_names) as string[]);
  const goesForward = row.state === 'pending' || row.state === 'running' || row.state === 'waiting';
  return [...new Set([...known, ...begun.keys()])].map((name) => {
    const step = begun.get(name);
    return step === undefined ? notBegun(name, goesForward) : begunStep(step, goesForward);
  });
}

function notBegun(name: string, goesForward: boolean): Step {
  const nothing = { attempts: 0, started: null, finished: null, progress: null };
  return { name, state: goesForward ? 'pending' : 'skipped', ...nothing };
}

function begunStep(step: TaskStepReading, goesForward: boolean): Step {
  const { name, state, attempts, started, finished } = step;
  const isOpen = state === 'intent';
  return {
    name,
    state: isOpen ? (goesForward ? 'running' : 'stopped') : state,
    // The journal counts tries that ended with an error.
    attempts: isOpen || state === 'done' ? attempts + 1 : Math.max(1, attempts),
    started: timeOf(started),
    finished: finished === null ? null : timeOf(finished),
    progress: isOpen && goesForward ? progressOf(step) : null,
  };
}

function progressOf({ waiting }: TaskStepReading): string | null {
  const said = waiting === null ? null : (JSON.parse(waiting) as { progress?: string } | null);
  return said?.progress ?? null;
}
