import type { Task, TaskKind } from '@trove/tasks';
import { taskKinds } from '../src/tasks/task_kinds.ts';

export interface KindOfRelease {
  readonly kind: string;
  readonly codeVersion: number;
  readonly steps: readonly string[];
}

const TASK: Task = {
  ...{ kind: '', id: '', instanceId: '', projectId: '', params: {}, state: 'pending', step: null, attempt: 0 },
  ...{ fence: 0n, cancelRequested: false, codeVersion: 1, error: null },
};

/** Every kind that is registered; nothing runs. */
function registered(): readonly TaskKind[] {
  const settings = { secureMessaging: true, lowMs: 0, highMs: 0, reportIntervalMs: 0 };
  return taskKinds({ settings, controlRing: [] } as unknown as Parameters<typeof taskKinds>[0]);
}

/** By name, with the names of the steps in order. */
export function kindsOfRelease(): readonly KindOfRelease[] {
  return registered().map((kind) => ({
    kind: kind.kind,
    codeVersion: kind.codeVersion,
    steps: kind.steps(TASK).map(({ name }) => name),
  }));
}

/** All that a task of each kind may come to: a step done, undone, or left behind. `create_instance make_key after_run` */
export function pointsOfRelease(): readonly string[] {
  return registered().flatMap(({ kind, steps }) =>
    steps(TASK).flatMap(({ name, undo, leave }) => [
      `${kind} ${name} after_run`,
      ...(undo === undefined ? [] : [`${kind} ${name} after_undo`]),
      ...(leave === undefined ? [] : [`${kind} ${name} left`]),
    ]),
  );
}
