import { type Clock, type Logger, randomFraction } from '@trove/common';

/** Something that is done again and again until it is stopped. */
export interface Round {
  start(): void;
  /** Takes no more turn; resolves when the present one has ended. */
  stop(): Promise<void>;
}

export interface RoundOptions {
  readonly name: string;
  /** Between two turns; jittered by a fifth, so that several taskmanagers do not march in step. */
  readonly everyMs: number;
  /** May resolve to the time until the next turn instead, milliseconds. */
  readonly turn: (signal: AbortSignal) => Promise<number | void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const JITTER = 0.2;

/** A turn that fails is logged and costs nothing but itself. */
export function createRound(options: RoundOptions): Round {
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();

  const turns = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      let everyMs = options.everyMs;
      try {
        everyMs = (await options.turn(stopping.signal)) ?? everyMs;
      } catch (error) {
        if (!stopping.signal.aborted) options.logger.warn('a round was left out', { round: options.name, error });
      }
      const waitMs = everyMs * (1 + JITTER * (randomFraction() * 2 - 1));
      await options.clock.sleep(waitMs, stopping.signal).catch(() => undefined);
    }
  };

  return {
    start() {
      running = turns();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** Runs `work` for each item, at most `atOnce` at a time. */
export async function forEachOf<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const workers = Array.from({ length: Math.min(atOnce, items.length) }, async () => {
    for (const item of queue) await work(item);
  });
  await Promise.all(workers);
}
