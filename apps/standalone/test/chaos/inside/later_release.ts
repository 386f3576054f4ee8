import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NewTask, Step, Task, TaskKind } from '@trove/tasks';
import { marksFolder } from './run_folder.ts';

const LOOKS = 3;
const LOOK_MS = 1000;

/**
 * What each release after the first brings, beside all that those before it brought:
 * - creates have a further step in their middle, upgrades one of another name, deletes one more at their end; these lists have
 *   a code version of their own, and tasks of an older one keep that one's list
 * - creates and restarts have one more at their end and changes of the flavor one in their middle, which may be left out and come
 *   late: the code version stays, and who does not know a step that has begun puts the task down
 * - volumes grow by a kind of task of its own.
 * `folder` is the run's: the further steps leave marks there.
 */
export function laterKinds(kinds: readonly TaskKind[], release: number, folder: string): readonly TaskKind[] {
  return kinds.flatMap((kind) => {
    const { steps } = kind;
    if (VERSIONED.includes(kind.kind)) {
      const said = kind.kind === 'create_instance' ? says(release, folder) : [];
      const list = (task: Task): readonly Step[] => listOf(kind.kind, steps(task), task.codeVersion, folder);
      return [{ ...kind, codeVersion: release, steps: (task) => [...list(task), ...said] }];
    }
    if (kind.kind === 'restart_instance' || kind.kind === 'resize_flavor')
      return [{ ...kind, steps: (task) => listOf(kind.kind, steps(task), release, folder) }];
    if (kind.kind === 'resize_volume')
      return [kind, ...after1(release).map((one): TaskKind => ({ ...kind, kind: growingKind(one) }))];
    return [kind];
  });
}

/** As a service of this release files it. */
export function laterTask(task: NewTask, release: number): NewTask {
  if (VERSIONED.includes(task.kind)) return { ...task, codeVersion: release };
  return task.kind === 'resize_volume' ? { ...task, kind: growingKind(release) } : task;
}

/** Whether a service of this release can take up the task, as far as its row tells. */
export function isOfRelease({ kind, code_version }: { kind: string; code_version: number }, release: number): boolean {
  if (VERSIONED.includes(kind)) return code_version <= release;
  return !kind.startsWith(GROWING) || Number(kind.slice(GROWING.length)) <= release;
}

/** What a further step leaves while it is done and not undone. */
export function markFile(folder: string, taskId: string, step: string): string {
  return join(marksFolder(folder), `${taskId} ${step}`);
}

export const FURTHER_STEP = /^(note|say)_of_\d+$/;
/** Those of them that a task of their version has to have. */
export const WANTED_STEP = /^note_of_\d+$/;
const VERSIONED: readonly string[] = ['create_instance', 'upgrade_instance', 'delete_instance'];
const GROWING = 'resize_volume_of_';

function growingKind(release: number): string {
  return `${GROWING}${release}`;
}

function after1(release: number): readonly number[] {
  return Array.from({ length: Math.max(0, release - 1) }, (_, index) => index + 2);
}

function listOf(kind: string, steps: readonly Step[], release: number, folder: string): readonly Step[] {
  const notes = after1(release).map((one) => noteStep(`note_of_${one}`, folder));
  const half = Math.ceil(steps.length / 2);
  switch (kind) {
    case 'create_instance':
    case 'resize_flavor':
      return [...steps.slice(0, half), ...notes.map((step) => undoable(step, folder)), ...steps.slice(half)];
    case 'upgrade_instance':
      return steps.map((step) =>
        step.name === 'stop_server' && release > 1 ? { ...step, name: `stop_server_of_${release}` } : step,
      );
    case 'delete_instance':
      return [...steps, ...notes];
    default:
      return [...steps, ...says(release, folder)];
  }
}

function says(release: number, folder: string): readonly Step[] {
  return after1(release).map((one) => sayStep(`say_of_${one}`, folder));
}

const LIMITS = { timeoutMs: 5000, retry: { attempts: 5, capMs: 1000 } } as const;

/** One with an effect that can be looked for. */
function noteStep(name: string, folder: string): Step {
  return {
    ...{ name, ...LIMITS },
    async run({ task, token }) {
      writeFileSync(markFile(folder, task.id, name), token);
      return { done: { token } };
    },
    async observe({ task, token }) {
      return existsSync(markFile(folder, task.id, name)) ? { token } : undefined;
    },
  };
}

function undoable(step: Step, folder: string): Step {
  return { ...step, undo: async ({ task }) => rmSync(markFile(folder, task.id, step.name), { force: true }) };
}

/** One that is put down some times before it is done, so that others find it begun. */
function sayStep(name: string, folder: string): Step {
  const { run } = noteStep(name, folder);
  return {
    ...{ name, ...LIMITS },
    async run(context) {
      const looks = Number(context.noted ?? 0);
      if (looks === LOOKS) return await run(context);
      await context.note(looks + 1);
      return { wait: { ms: LOOK_MS, progress: 'saying so' } };
    },
  };
}
