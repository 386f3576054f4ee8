import { type TaskRow, type TaskStepRow, toBigint } from '@trove/catalog';
import type { Json, JsonObject, Task } from '../types.ts';

/** What rests in `tasks.error`. A parked task stands still until a release that knows it takes it up, and has not failed. */
export interface StoredError {
  readonly code: string;
  readonly message: string;
  /** Steps whose effects could not be undone. */
  readonly left?: readonly string[];
  readonly parked?: true;
  /** Of a parked task: its error before. */
  readonly before?: StoredError | null;
}

export interface JournalEntry {
  readonly name: string;
  readonly state: TaskStepRow['state'];
  readonly token: string;
  /** Of a step that is done. */
  readonly output: Json;
  /** Of a step that is not: what its last wait told. */
  readonly progress: string | null;
  /** When it began, epoch microseconds of the database; undefined where that was under this lease. */
  readonly started: bigint | undefined;
  /** What a try of an unfinished step noted for later ones. */
  readonly noted: Json | undefined;
  /** Tries that ended with an error; tries that died with their worker are not counted. */
  readonly attempts: number;
}

export type Journal = ReadonlyMap<string, JournalEntry>;

export function toTask(row: TaskRow): Task {
  return {
    id: row.id,
    kind: row.kind,
    instanceId: row.instance_id,
    projectId: row.project_id,
    params: JSON.parse(row.params) as JsonObject,
    state: row.state,
    step: row.step,
    attempt: row.attempt,
    fence: toBigint(row.fence),
    cancelRequested: row.cancel_requested === 1,
    codeVersion: row.code_version,
    error: storedError(row.error),
  };
}

export function storedError(text: string | null): StoredError | null {
  return text === null ? null : (JSON.parse(text) as StoredError);
}

export function toJournalEntry(row: TaskStepRow): JournalEntry {
  const output = row.output === null ? null : (JSON.parse(row.output) as Json);
  const { name, state, token, attempts } = row;
  const unfinished = state === 'done' ? null : output;
  const progress = memberOf(unfinished, 'progress');
  return {
    ...{ name, state, token, output, attempts },
    started: toBigint(row.started),
    progress: typeof progress === 'string' ? progress : null,
    noted: memberOf(unfinished, 'noted') ?? undefined,
  };
}

export interface Unfinished {
  readonly progress: string | null;
  readonly noted: Json | undefined;
}

/** What rests in the output of a step that has none yet. */
export function unfinishedOutput({ progress, noted = null }: Unfinished): string {
  return JSON.stringify(noted === null ? { progress } : { progress, noted });
}

function memberOf(output: Json, member: string): Json | undefined {
  if (output === null || typeof output !== 'object' || Array.isArray(output)) return undefined;
  return output[member];
}
