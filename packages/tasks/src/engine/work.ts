import type { Logger } from '@trove/common';
import type { Step, Task, TaskKind } from '../types.ts';
import type { Standing } from './decide.ts';
import type { Held } from './journal.ts';
import type { Faults } from './options.ts';
import type { JournalEntry, StoredError } from './task_row.ts';

/** A task in this worker's hands. Journal, standing and error follow each write. */
export interface Work {
  readonly held: Held;
  readonly kind: TaskKind;
  readonly task: Task;
  readonly steps: readonly Step[];
  readonly logger: Logger;
  readonly faults: Faults;
  /** Aborted when the engine closes: the next step is left to others. */
  readonly draining: AbortSignal;
  readonly journal: Map<string, JournalEntry>;
  /** When this worker took it, epoch microseconds of the database. */
  readonly takenAt: bigint;
  standing: Standing;
  /** It goes back: what is called now are undos. */
  turnedBack: boolean;
  /** Tries of the current undo that ended with an error. */
  undoAttempts: number;
  /** Steps whose undo failed for good here; whoever takes the task over finds out again, before the steps that follow. */
  readonly notUndone: Set<string>;
}

/** How the work on a task ended here. */
export type Outcome =
  | { readonly is: 'ended'; readonly successor: string | null }
  | { readonly is: 'waiting'; readonly ms: number }
  | { readonly is: 'drained' }
  /** Put down for whoever knows its step: nobody here wakes it. */
  | { readonly is: 'parked' }
  | { readonly is: 'compensating'; readonly error: StoredError | null };
