import type { Logger } from '@trove/common';
import type { Knex } from 'knex';

/** JSON only: it rests in the journal. */
export type Json = null | boolean | number | string | Json[] | { [member: string]: Json };
export type JsonObject = { [member: string]: Json };

export type TaskState = 'pending' | 'running' | 'waiting' | 'compensating' | 'done' | 'failed' | 'cancelled';

/** A task as it stands in the catalog. Times are epoch microseconds of the database. */
export interface Task {
  readonly id: string;
  readonly kind: string;
  readonly instanceId: string;
  readonly projectId: string;
  readonly params: JsonObject;
  readonly state: TaskState;
  readonly step: string | null;
  readonly attempt: number;
  readonly fence: bigint;
  readonly cancelRequested: boolean;
  readonly codeVersion: number;
  readonly error: { code: string; message: string } | null;
}

/** What a step may use. Everything that a step changes outside goes by `token`, everything in the catalog by `fenced`. */
export interface StepContext {
  readonly task: Task;
  /** Deterministic: UUIDv5 of task and step. The same in each try, so that the world can be asked for what it made. */
  readonly token: string;
  /** Of the steps that are done, by their names. */
  readonly outputs: Readonly<Record<string, Json>>;
  readonly attempt: number;
  /** While the task goes back: later steps whose undo was given up. What they would need to be put right must stay. */
  readonly notUndone: ReadonlySet<string>;
  /** Aborted at the step's time-out and when the lease is lost. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /**
   * One transaction that begins by checking the fence on the instance's row (`STALE_FENCE` otherwise: stop at once).
   * It may be run again as a whole on a deadlock, so it makes no outside call.
   */
  fenced<T>(work: (tx: Knex.Transaction) => Promise<T>): Promise<T>;
  /** What an earlier try of this step noted last; undefined where none did, and in an undo. */
  readonly noted: Json | undefined;
  /**
   * Writes a note for later tries into the journal, under the fence. Before a call that must not be repeated and whose effect
   * cannot be looked up by the token: who finds the note knows that it may have been made. In an undo nothing is noted.
   */
  note(value: Json): Promise<void>;
  /**
   * For what comes when this try is over: puts `value` in the place of what it has `noted`, whoever holds the task by then, and
   * wakes the task. Under no fence, so `value` is what is true whoever asks. False: the step has ended or noted something else
   * since, and nothing is written.
   */
  amend(noted: Json, value: Json): Promise<boolean>;
}

/**
 * How one run of a step ended. `wait`: nothing is blocked, the step runs again when its time has come or it is woken, at the
 * latest at the task's deadline. A wake or a cancel that comes while the step still runs counts too: then it runs again at once.
 */
export type StepResult = { readonly done: Json } | { readonly wait: Wait };

export interface Wait {
  /** Until the step runs again. */
  readonly ms: number;
  /** What whoever follows the task is told. */
  readonly progress?: string;
  /**
   * The longer the step has waited, the longer it waits: this share of the time since it began, where that is more than `ms`,
   * and `capMs` at most. By the database's time, whichever worker looks. What is awaited is then noticed late by no more than
   * that share of the whole wait, and a thousand tasks that wait for long cost little.
   */
  readonly grows?: { readonly share: number; readonly capMs: number };
}

/**
 * One step: intent is written first, then `observe` (on a resumed try) looks in the world for what an earlier try made,
 * and only where it finds nothing `run` runs. A `TroveError` that is not retryable fails the step; others are tried again.
 */
export interface Step {
  readonly name: string;
  run(context: StepContext): Promise<StepResult>;
  /** The output where the world already has the step's effect; undefined where it has not. Extras are removed here. */
  observe?(context: StepContext): Promise<Json | undefined>;
  /**
   * "Not there" is success. A step without one is not undoable. Once the last step that has one is done, the task only goes
   * forward: a cancel no longer reaches it, and an error fails it with everything left as it is. So a wait that a cancel or
   * a failure must still be able to end has an `undo` that does nothing. An attempted step is undone too, done or not.
   */
  undo?(context: StepContext): Promise<void>;
  /**
   * Makes the step one that only cleans up: what the task is for is reached without it. Where it fails for good or the
   * deadline passes before it is done, this writes down what is left for somebody else to take away (no outside call), and
   * the task goes on as if the step were done; the journal keeps it as failed. Only behind the last step with an `undo`.
   */
  leave?(context: StepContext): Promise<void>;
  /**
   * How long one `observe`, `run` or `undo` may take. The lease is renewed while it runs; a slot of the worker is taken all
   * the time and nobody looks at a cancel, so what takes long is rather waited for in rows.
   */
  readonly timeoutMs: number;
  /** Tries before the step fails for good, and the cap of the jittered wait between them. One that finds no bus does not count. */
  readonly retry: { readonly attempts: number; readonly capMs: number };
}

/** What is written to the instance in the same transaction that ends the task and hands the slot on. */
export interface TaskEnd {
  readonly task: Task;
  readonly outputs: Readonly<Record<string, Json>>;
}

/**
 * A kind of work as a list of steps. The engine knows nothing of Trove; all that it writes of an instance is slot and fence.
 * The three hooks run first in the transaction that ends the task, before the instance is locked, so that they may lock
 * quota usages (lock order: usages, instances, tasks, the rest). They may run again and make no outside call.
 */
export interface TaskKind {
  readonly kind: string;
  /**
   * Of its list of steps. Workers leave tasks of a higher one alone, which wait for a release that knows it. Raised where a step
   * is renamed, taken away, put in, or does something else; `steps` then still gives a task of an older version the list of that
   * version. It need not be raised for a step that may come late in a task that is already past its place, and that a worker of
   * the older release may leave out: where such a step has begun, workers that do not know it put the task down.
   */
  readonly codeVersion: number;
  readonly deadlineMs: number;
  readonly compensationDeadlineMs: number;
  steps(task: Task): readonly Step[];
  onDone(tx: Knex.Transaction, end: TaskEnd): Promise<void>;
  /** After compensation. `error.message` is what the tenant may see. `left` names what could not be undone. */
  onFailed(
    tx: Knex.Transaction,
    end: TaskEnd & { error: { code: string; message: string }; left: readonly string[] },
  ): Promise<void>;
  onCancelled(tx: Knex.Transaction, end: TaskEnd): Promise<void>;
}
