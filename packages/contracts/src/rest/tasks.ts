import { type Static, Type } from 'typebox';
import { Links, NullableText, Timestamp } from './common.ts';

/** Names the task that a request filed, on the answer to it (Trove's own answers have no body to say it in). */
export const TASK_HEADER = 'x-trove-task-id';

/**
 * A step: `pending`, `running` (a wait too: see `progress`), `done`, `failed`; in a task that goes back or has ended also
 * `undone`, `stopped` (begun, and neither ended nor undone) and `skipped` (never begun).
 */
const TaskStep = Type.Object({
  name: Type.String(),
  state: Type.String(),
  attempts: Type.Integer({ description: 'Tries, the present one too.' }),
  started: NullableText,
  finished: NullableText,
  progress: NullableText,
});

/** Work on an instance: `state` is pending, running, waiting, compensating, done, failed or cancelled. */
export const Task = Type.Object({
  id: Type.String(),
  kind: Type.String(),
  instance_id: Type.String(),
  state: Type.String(),
  step: NullableText,
  steps_done: Type.Integer(),
  steps_total: Type.Integer({ description: '0 until a taskmanager has begun.' }),
  steps: Type.Array(TaskStep),
  cancel_requested: Type.Boolean(),
  /** Since when no taskmanager has taken it up although one could: is one running? Null else. */
  unattended_since: NullableText,
  error: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
  deadline: Timestamp,
  created: Timestamp,
  updated: Timestamp,
});
export type Task = Static<typeof Task>;

export const TaskBody = Type.Object({ task: Task });
/** The newest first. */
export const TaskListBody = Type.Object({ tasks: Type.Array(Task), links: Type.Optional(Links) });
