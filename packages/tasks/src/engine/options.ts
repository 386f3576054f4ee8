import type { Catalog } from '@trove/catalog';
import type { Clock, Logger } from '@trove/common';
import type { TaskKind } from '../types.ts';

/** Where a fault may be put: just before and after an outside call (`run`, with its `observe`, or `undo`), and before the last write. */
export interface FaultPoint {
  readonly taskId: string;
  readonly kind: string;
  /** The step's name; null at the task's end. */
  readonly step: string | null;
  readonly at: 'before_run' | 'after_run' | 'before_undo' | 'after_undo' | 'before_end';
}

/** For tests: what it throws ends the work on the task as if the process had died there. */
export type Faults = (point: FaultPoint) => void | Promise<void>;

export interface TaskEngineOptions {
  catalog: Catalog;
  kinds: readonly TaskKind[];
  /** Names this worker in `lease_owner`, up to 255 characters; unique per process, e.g. host, pid and a random part. */
  owner: string;
  logger: Logger;
  clock?: Clock | undefined;
  /** Tasks worked on at a time. Default 8. */
  concurrency?: number | undefined;
  /** Between two looks for due tasks: a random time in this range. Default 2000 to 5000 ms. */
  pollMs?: { readonly min: number; readonly max: number } | undefined;
  /** A lease's length in the database's time. Default 30 000 ms. */
  leaseMs?: number | undefined;
  /** How long `close()` lets steps run on before it aborts them. Default 20 000 ms. */
  graceMs?: number | undefined;
  faults?: Faults | undefined;
}

export interface TaskEngineHealth {
  ok: boolean;
  /** What is broken, for a `/healthcheck` line. */
  problem?: string;
  /** Tasks being worked on at this moment. */
  running: number;
}

export interface TaskEngine {
  start(): void;
  /** Takes no more, lets steps end within the grace time, then aborts them; releases the leases, so that others go on at once. */
  close(): Promise<void>;
  /** A doorbell: looks at once at this task, or at the one that it comes after. Never rejects; losing one costs a poll interval. */
  ring(taskId: string): void;
  health(): TaskEngineHealth;
}
