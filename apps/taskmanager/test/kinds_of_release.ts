import type { Task } from '@trove/tasks';
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

/** Every kind that is registered, by name, with the names of its steps in order; nothing runs. */
export function kindsOfRelease(): readonly KindOfRelease[] {
  const settings = { secureMessaging: true, lowMs: 0, highMs: 0, reportIntervalMs: 0 };
  const kinds = taskKinds({ settings, controlRing: [] } as unknown as Parameters<typeof taskKinds>[0]);
  return kinds.map((kind) => ({
    kind: kind.kind,
    codeVersion: kind.codeVersion,
    steps: kind.steps(TASK).map(({ name }) => name),
  }));
}
