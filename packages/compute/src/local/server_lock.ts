import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 50;

/**
 * One lock per server, among all processes of this machine: who holds it may start, stop and rebuild. It is SQLite's
 * file lock, which the system releases when its holder dies. 256 files serve for all servers, so nothing is left behind;
 * two servers that share one only wait for each other.
 */
export class ServerLocks {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Waits for the lock, runs the work, releases. Rejects with the signal's reason when it is aborted while waiting. */
  async run<T>(id: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (;;) {
      signal.throwIfAborted();
      const result = await this.tryRun(id, work);
      if (result.held) return result.value;
      await delay(POLL_MS, undefined, { signal });
    }
  }

  /** Runs the work if nobody holds the lock now. */
  async tryRun<T>(id: string, work: () => Promise<T>): Promise<{ held: true; value: T } | { held: false }> {
    const file = createHash('sha256').update(id).digest('hex').slice(0, 2);
    const database = new DatabaseSync(join(this.#folder, file));
    try {
      if (!take(database)) return { held: false };
      return { held: true, value: await work() };
    } finally {
      database.close();
    }
  }
}

function take(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    const busy = error instanceof Error && 'errcode' in error && error.errcode === 5;
    if (!busy) throw error;
    return false;
  }
}
