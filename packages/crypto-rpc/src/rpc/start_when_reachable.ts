import { type Clock, fullJitterMs, isTroveError, type Logger, systemClock } from '@trove/common';
import type { RpcServer } from './types.ts';

const BASE_MS = 500;
const CAP_MS = 10_000;

/**
 * A server that starts without its broker too: `start` then resolves after the first try, and the server is started as soon
 * as the broker answers. Other errors of the first try reject it; later ones are logged and tried again.
 */
export function startWhenReachable(
  server: RpcServer,
  around: { readonly logger: Logger; readonly clock?: Clock },
): RpcServer {
  const clock = around.clock ?? systemClock;
  const stop = new AbortController();
  let waiting: Promise<void> = Promise.resolve();

  const startLater = async (): Promise<void> => {
    for (let attempt = 0; !stop.signal.aborted; attempt += 1) {
      try {
        await clock.sleep(fullJitterMs(attempt, BASE_MS, CAP_MS), stop.signal);
        await server.start();
        around.logger.info('the bus answers; serving');
        return;
      } catch (error) {
        if (stop.signal.aborted) return;
        if (!isTroveError(error, 'BUS_UNAVAILABLE')) around.logger.error('not started', { error });
      }
    }
  };

  return {
    async start() {
      try {
        await server.start();
      } catch (error) {
        if (!isTroveError(error, 'BUS_UNAVAILABLE')) throw error;
        around.logger.warn('the bus does not answer; waiting for it');
        waiting = startLater();
      }
    },
    async close() {
      stop.abort();
      await waiting;
      await server.close();
    },
  };
}
