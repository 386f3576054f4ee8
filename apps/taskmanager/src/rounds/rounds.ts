import { purgeArrivals } from '@trove/catalog';
import type { Clock, Logger } from '@trove/common';
import { forgetOldRequests } from '@trove/tasks';
import type { TaskTools } from '../tasks/shared/tools.ts';
import { createAccountCheck } from './check_accounts.ts';
import { createLegacyVolumes } from './legacy_volumes.ts';
import { observeHosts } from './observe_hosts.ts';
import { observeServers } from './observe_servers.ts';
import { fileOwedRotations } from './owed_rotations.ts';
import { createRound, type Round, type RoundOptions } from './round.ts';
import { greetWanted } from './wanted_hellos.ts';

const HELLO_EVERY_MS = 1000;
const OWED_EVERY_MS = 5000;
const OBSERVE_EVERY_MS = 30_000;
/** What has changed once is often under way: a server that starts or stops. */
const OBSERVE_AGAIN_MS = 3000;
const LEGACY_EVERY_MS = 3000;
const UPLINKS_EVERY_MS = 300_000;
/** Reading all accounts costs the broker more the more there are: at most a hundredth of the time goes into it. */
const ACCOUNTS_EVERY_MS = { least: 5000, most: 900_000, perMsOfWork: 100 };
const PURGE_EVERY_MS = 60_000;
/** All tasks are read for it. */
const FORGET_EVERY_MS = 3_600_000;

export interface RoundsDeps extends TaskTools {
  readonly logger: Logger;
  /** Gives conductors their half of keys that Trove made. */
  readonly adoptUplinks: () => Promise<{ written: number; unreadable: string[] }>;
}

/** Everything that a taskmanager does by the clock. */
export function createRounds(deps: RoundsDeps): readonly Round[] {
  const { logger, clock, settings, accounts } = deps;
  const reportedWithinMs = 3 * settings.reportIntervalMs;
  const round = (name: string, everyMs: number, turn: RoundOptions['turn']): Round =>
    createRound({ name, everyMs, turn, clock, logger });
  return [
    round('hello', HELLO_EVERY_MS, () => greetWanted(deps)),
    round('owed rotations', OWED_EVERY_MS, () => fileOwedRotations({ ...deps, heardWithinMs: reportedWithinMs })),
    round('observe', OBSERVE_EVERY_MS, async (signal) =>
      (await observeServers(deps, signal)) ? OBSERVE_AGAIN_MS : OBSERVE_EVERY_MS,
    ),
    round('hosts', OBSERVE_EVERY_MS, () => observeHosts(deps)),
    round('legacy volumes', LEGACY_EVERY_MS, createLegacyVolumes({ ...deps, lowMs: settings.lowMs, reportedWithinMs })),
    round('old message ids', PURGE_EVERY_MS, async () => void (await purgeArrivals(deps.catalog))),
    round('old requests', FORGET_EVERY_MS, async () => void (await forgetOldRequests(deps.catalog))),
    ...(accounts === undefined
      ? []
      : [round('accounts', ACCOUNTS_EVERY_MS.least, paced(createAccountCheck({ ...deps, accounts }), clock))]),
    round('adopted keys', UPLINKS_EVERY_MS, async () => {
      const { written, unreadable } = await deps.adoptUplinks();
      if (written > 0)
        logger.info('the conductor can now understand guests that have a key of Trove', { instances: written });
      if (unreadable.length > 0)
        logger.error('keys of instances do not open under inst_rpc_key_encr_key', { instances: unreadable });
    }),
  ];
}

/** A turn that comes the less often the longer it takes. */
function paced(work: (signal: AbortSignal) => Promise<void>, clock: Clock): RoundOptions['turn'] {
  const { least, most, perMsOfWork } = ACCOUNTS_EVERY_MS;
  return async (signal) => {
    const began = clock.monotonic();
    await work(signal);
    return Math.min(most, Math.max(least, (clock.monotonic() - began) * perMsOfWork));
  };
}
