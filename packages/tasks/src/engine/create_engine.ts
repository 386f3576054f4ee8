import { isTroveError, randomFraction, systemClock } from '@trove/common';
import { dueTasks, markParked } from './due.ts';
import { type Lease, takeTask } from './lease.ts';
import type { TaskEngine, TaskEngineHealth, TaskEngineOptions } from './options.ts';
import { GraceOver, type WorkerSettings, workOn } from './work_on.ts';

/** Read with one look, for each that may be worked on at a time. */
const CANDIDATES = 4;
/** A list of due tasks that is older than this is read anew: others have taken most of it. */
const LIST_STALE_MS = 1000;
/** So that an alarm is never a moment too early for the database's clock. */
const ALARM_SLACK_MS = 2;

/** The engine over a catalog: any number of them, in any number of processes, share its tasks. */
export function createTaskEngine(options: TaskEngineOptions): TaskEngine {
  return new PollingEngine(options);
}

class PollingEngine implements TaskEngine {
  readonly #settings: WorkerSettings;
  readonly #concurrency: number;
  readonly #pollMs: { readonly min: number; readonly max: number };
  readonly #graceMs: number;
  readonly #draining = new AbortController();
  /** Work under way, by task id; its lease where it has one already. */
  readonly #running = new Map<string, { lease?: Lease; ended: Promise<void> }>();
  /** Of tasks that were put down here, by id. */
  readonly #alarms = new Map<string, NodeJS.Timeout>();
  #polling: Promise<void> | undefined;
  #kick = Promise.withResolvers<void>();
  /** Resolved when there is room again. */
  #room = Promise.withResolvers<void>();
  /** More is due than there was room for. */
  #hungry = false;
  #problem: string | undefined;

  constructor(options: TaskEngineOptions) {
    this.#concurrency = options.concurrency ?? 8;
    this.#pollMs = options.pollMs ?? { min: 2000, max: 5000 };
    this.#graceMs = options.graceMs ?? 20_000;
    this.#settings = {
      catalog: options.catalog,
      kinds: options.kinds,
      owner: options.owner,
      leaseMs: options.leaseMs ?? 30_000,
      clock: options.clock ?? systemClock,
      logger: options.logger,
      faults: options.faults ?? (() => undefined),
      draining: this.#draining.signal,
      parked: new Set(),
    };
  }

  start(): void {
    this.#polling ??= this.#pollForEver();
  }

  health(): TaskEngineHealth {
    const running = this.#running.size;
    return this.#problem === undefined ? { ok: true, running } : { ok: false, problem: this.#problem, running };
  }

  ring(taskId: string): void {
    if (this.#polling === undefined) return;
    void this.#answer(taskId);
  }

  async close(): Promise<void> {
    this.#draining.abort();
    this.#kick.resolve();
    this.#room.resolve();
    for (const alarm of this.#alarms.values()) clearTimeout(alarm);
    await this.#polling;
    const graceOver = setTimeout(() => {
      for (const { lease } of this.#running.values()) lease?.abort(new GraceOver('the grace time is over'));
    }, this.#graceMs);
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    clearTimeout(graceOver);
  }

  async #pollForEver(): Promise<void> {
    const { logger, clock } = this.#settings;
    while (!this.#draining.signal.aborted) {
      try {
        await this.#poll();
        this.#problem = undefined;
      } catch (error) {
        if (this.#problem === undefined) logger.error('tasks cannot be read from the catalog', { error });
        this.#problem = 'tasks cannot be read from the catalog';
      }
      const pause = new AbortController();
      const pauseMs = this.#pollMs.min + randomFraction() * (this.#pollMs.max - this.#pollMs.min);
      await Promise.race([clock.sleep(pauseMs, pause.signal).catch(() => undefined), this.#kick.promise]);
      pause.abort();
      this.#kick = Promise.withResolvers<void>();
    }
  }

  async #poll(): Promise<void> {
    const { catalog, kinds, clock, parked } = this.#settings;
    this.#hungry = !this.#hasRoom();
    if (this.#hungry) return;
    await this.#markParked();
    const wanted = this.#concurrency * CANDIDATES;
    const due = await dueTasks(catalog, kinds, wanted, { parked, forMs: this.#seenByOthersMs });
    if (due.length === wanted) this.#hungry = true;
    const readAt = clock.monotonic();
    // Shuffled: several workers read the same list, and each takes from another place.
    for (const taskId of shuffled(due)) {
      while (!this.#hasRoom() && !this.#draining.signal.aborted) await this.#room.promise;
      if (this.#draining.signal.aborted) return;
      if (clock.monotonic() - readAt > LIST_STALE_MS) {
        this.#hungry = true;
        return;
      }
      await this.#takeUp(taskId);
    }
  }

  /** What has been due for so long was looked for by every other worker too. */
  get #seenByOthersMs(): number {
    return 2 * this.#pollMs.max;
  }

  /** Says with one line what all of these lines would. */
  async #markParked(): Promise<void> {
    const { catalog, kinds, logger } = this.#settings;
    const marked = await markParked(catalog, kinds, this.#seenByOthersMs);
    if (marked.length === 0) return;
    const fields = { count: marked.length, task_kinds: [...new Set(marked)] };
    logger.warn('tasks parked: this release does not know their kind or version', fields);
  }

  #hasRoom(): boolean {
    return this.#running.size < this.#concurrency;
  }

  /** A doorbell for a task that waits for its predecessor is the predecessor's too. */
  async #answer(taskId: string): Promise<void> {
    const { catalog, logger } = this.#settings;
    try {
      if (this.#settings.parked.has(taskId) || (await this.#takeUp(taskId))) return;
      const row: { after_task: string | null } | undefined = await catalog
        .knex('tasks')
        .where({ id: taskId })
        .first('after_task');
      if (row !== undefined && row.after_task !== null) await this.#takeUp(row.after_task);
    } catch (error) {
      logger.warn('doorbell not answered', { task_id: taskId, error });
    }
  }

  /** Takes the task if there is room and it is to be had, and leaves it running; true where it was had. */
  async #takeUp(taskId: string): Promise<boolean> {
    if (this.#running.has(taskId) || this.#draining.signal.aborted) return false;
    if (!this.#hasRoom()) {
      this.#hungry = true;
      return false;
    }
    this.#silence(taskId);
    const decided = Promise.withResolvers<boolean>();
    const work = this.#work(taskId, decided.resolve);
    const ended = work.catch(decided.reject).finally(() => this.#over(taskId));
    this.#running.set(taskId, { ended });
    return await decided.promise;
  }

  /** Calls `decided` once it is known whether the task is this worker's; rejects only before that. */
  async #work(taskId: string, decided: (isTaken: boolean) => void): Promise<void> {
    const { logger } = this.#settings;
    const taken = await takeTask(this.#settings, taskId);
    decided(taken !== undefined);
    if (taken === undefined) return;
    try {
      const outcome = await workOn(this.#settings, taken, (lease) => this.#hold(taskId, lease));
      if (outcome.is === 'waiting') this.#wakeIn(taskId, outcome.ms);
      if (outcome.is === 'ended' && outcome.successor !== null) this.#wakeIn(outcome.successor, 0);
    } catch (error) {
      if (isTroveError(error, 'STALE_FENCE')) logger.warn('task let go: its lease is lost', { task_id: taskId });
      else logger.error('task let go: its lease will run out', { task_id: taskId, error });
    }
  }

  #hold(taskId: string, lease: Lease): void {
    const entry = this.#running.get(taskId);
    if (entry !== undefined) entry.lease = lease;
  }

  #over(taskId: string): void {
    this.#running.delete(taskId);
    this.#room.resolve();
    this.#room = Promise.withResolvers<void>();
    if (this.#hungry) this.#kick.resolve();
  }

  /** Whoever polls first takes the task; this only saves the poll's delay. */
  #wakeIn(taskId: string, ms: number): void {
    if (this.#draining.signal.aborted) return;
    this.#silence(taskId);
    const alarm = setTimeout(() => {
      this.#takeUp(taskId).catch((error: unknown) => {
        this.#settings.logger.warn('a task was not woken in time', { task_id: taskId, error });
      });
    }, ms + ALARM_SLACK_MS);
    alarm.unref();
    this.#alarms.set(taskId, alarm);
  }

  /** Whoever takes it sets another alarm. */
  #silence(taskId: string): void {
    clearTimeout(this.#alarms.get(taskId));
    this.#alarms.delete(taskId);
  }
}

function shuffled<T>(items: readonly T[]): readonly T[] {
  return items
    .map((item) => ({ item, order: randomFraction() }))
    .sort((left, right) => left.order - right.order)
    .map(({ item }) => item);
}
