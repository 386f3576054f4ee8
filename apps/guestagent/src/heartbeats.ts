import { type Clock, isTroveError, type Logger } from '@trove/common';
import type { ArgsOf, ConductorApi } from '@trove/contracts';
import type { GuestStatus } from './guest_status.ts';
import type { VolumeStats } from './volume_stats.ts';

export interface HeartbeatsOptions {
  readonly instanceId: string;
  readonly status: GuestStatus;
  readonly volume: () => Promise<VolumeStats>;
  readonly report: (args: ArgsOf<ConductorApi['heartbeat']>) => Promise<void>;
  /** `report_interval`, milliseconds. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How often the database is looked at between reports, so that a crash is told soon. */
const LOOK_MS = 2000;

/** Reports the status every interval, and at once when it has changed. */
export class Heartbeats {
  readonly #options: HeartbeatsOptions;
  readonly #stop = new AbortController();
  #loop: Promise<void> | undefined;
  #sending: Promise<void> = Promise.resolve();
  #lastStatus: string | undefined;
  #lastSentMs = Number.NEGATIVE_INFINITY;

  constructor(options: HeartbeatsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Reports now; for a change that the agent itself has made. Never rejects. */
  now(): Promise<void> {
    this.#sending = this.#sending.then(() => this.#send(true));
    return this.#sending;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await this.#sending;
  }

  async #run(): Promise<void> {
    const { clock, intervalMs } = this.#options;
    while (!this.#stop.signal.aborted) {
      this.#sending = this.#sending.then(() => this.#send(false));
      await this.#sending;
      await clock.sleep(Math.min(LOOK_MS, intervalMs), this.#stop.signal).catch(() => undefined);
    }
  }

  async #send(always: boolean): Promise<void> {
    const { clock, instanceId, intervalMs, logger, report, status } = this.#options;
    if (this.#stop.signal.aborted) return;
    try {
      const now = await status.describe();
      const isDue = clock.monotonic() - this.#lastSentMs >= intervalMs;
      if (now === undefined || !(always || isDue || now !== this.#lastStatus)) return;
      await report({ instance_id: instanceId, payload: { service_status: now, ...(await this.#figures()) } });
      this.#lastStatus = now;
      this.#lastSentMs = clock.monotonic();
    } catch (error) {
      const expected = isTroveError(error, 'BUS_UNAVAILABLE');
      logger[expected ? 'debug' : 'warn']('heartbeat not sent', { instance_id: instanceId, error });
    }
  }

  /** A report says what it can: without figures where the volume cannot be read. */
  async #figures(): Promise<{ volume_used?: number; volume_total?: number }> {
    try {
      const { used, total } = await this.#options.volume();
      return { volume_used: used, volume_total: total };
    } catch {
      return {};
    }
  }
}
