import type { Logger } from '@trove/common';
import type { Agents } from './agents.ts';
import type { ServerLocks } from './server_lock.ts';
import type { ServerRecord } from './server_record.ts';

const LOOK_MS = 1000;
const CAP_MS = 300_000;
/** An agent that lived this long has shown that it can: the next restart waits the shortest time again. */
const PROVEN_MS = 60_000;

interface Watched {
  failures: number;
  /** When it may be started again, in milliseconds of `performance.now()`; undefined while it lives. */
  retryAt: number | undefined;
  startedAt: number;
}

export interface SupervisorOptions {
  /** The servers of this host that should run. */
  readonly running: () => readonly ServerRecord[];
  /** The record as it is now; undefined once the server is gone. */
  readonly reread: (record: ServerRecord) => ServerRecord | undefined;
  readonly agents: Agents;
  readonly locks: ServerLocks;
  readonly logger: Logger;
  /** The wait before the first restart; it doubles with each that follows. */
  readonly restartMs: number;
}

/**
 * Restarts agents that died. Several processes may supervise the same servers: the server's lock and a second look under
 * it leave one agent per server.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #watched = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#looking = this.#looking
        .then(() => this.#look())
        .catch((error: unknown) => this.#options.logger.error('servers were not looked at', { error }));
    }, LOOK_MS).unref();
  }

  /** Starts nothing more; resolves when what it is doing has ended. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#looking;
  }

  async #look(): Promise<void> {
    if (this.#timer === undefined) return;
    const running = this.#options.running();
    const ids = new Set(running.map((record) => record.id));
    for (const id of this.#watched.keys()) if (!ids.has(id)) this.#watched.delete(id);
    for (const record of running) await this.#lookAt(record);
  }

  async #lookAt(record: ServerRecord): Promise<void> {
    const now = performance.now();
    const watched = this.#watched.get(record.id) ?? { failures: 0, retryAt: undefined, startedAt: now };
    this.#watched.set(record.id, watched);
    if (this.#options.agents.agentAlive(record)) {
      watched.retryAt = undefined;
      if (now - watched.startedAt > PROVEN_MS) watched.failures = 0;
      return;
    }
    watched.retryAt ??= now + Math.min(CAP_MS, this.#options.restartMs * 2 ** watched.failures);
    if (now >= watched.retryAt) await this.#restart(record, watched);
  }

  async #restart(record: ServerRecord, watched: Watched): Promise<void> {
    const { agents, locks, logger, reread } = this.#options;
    watched.failures += 1;
    watched.retryAt = undefined;
    watched.startedAt = performance.now();
    try {
      await locks.tryRun(record.instance_id, async () => {
        const fresh = reread(record);
        if (fresh?.state !== 'running' || agents.agentAlive(fresh)) return;
        logger.warn('agent restarted', { instance_id: fresh.instance_id, failures: watched.failures });
        await agents.ensureStarted(fresh);
      });
    } catch (error) {
      logger.error('agent did not start', { instance_id: record.instance_id, error });
    }
  }
}
