import type { NewTask } from '@trove/tasks';

const MINUTE_MS = 60_000;

/** How long each kind of task may take before it is undone, and the version of its steps that this release files. */
export const TASK_PLANS = {
  create_instance: { kind: 'create_instance', deadlineMs: 30 * MINUTE_MS, codeVersion: 1 },
  upgrade_instance: { kind: 'upgrade_instance', deadlineMs: 60 * MINUTE_MS, codeVersion: 1 },
  restart_instance: { kind: 'restart_instance', deadlineMs: 10 * MINUTE_MS, codeVersion: 1 },
  resize_flavor: { kind: 'resize_flavor', deadlineMs: 30 * MINUTE_MS, codeVersion: 1 },
  resize_volume: { kind: 'resize_volume', deadlineMs: 15 * MINUTE_MS, codeVersion: 1 },
  delete_instance: { kind: 'delete_instance', deadlineMs: 60 * MINUTE_MS, codeVersion: 1 },
} as const satisfies Record<string, Pick<NewTask, 'kind' | 'deadlineMs' | 'codeVersion'>>;
