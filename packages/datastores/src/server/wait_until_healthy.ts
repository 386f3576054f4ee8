import { setTimeout as delay } from 'node:timers/promises';
import { type ProcessIdentity, processRuns, TroveError } from '@trove/common';
import type { ServerProcess } from './server_process.ts';

const START_TIMEOUT_MS = 120_000;
const POLL_MS = 50;

/** Asks until the server serves. A server that ended, or does not serve in two minutes, is a `GUEST_ERROR` with its log's end as cause. */
export async function waitUntilHealthy(
  server: ServerProcess,
  identity: ProcessIdentity,
  serves: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!(await serves())) {
    if (!processRuns(identity) || performance.now() > deadline) {
      throw new TroveError('GUEST_ERROR', 'The database server did not start.', { cause: new Error(server.logTail()) });
    }
    await delay(POLL_MS);
  }
}
