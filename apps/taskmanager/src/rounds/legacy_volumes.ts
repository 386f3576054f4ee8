import { type Catalog, legacyInstancesToAsk, withTransaction, writeVolumeFigures } from '@trove/catalog';
import type { Clock, Logger } from '@trove/common';
import type { GuestClient } from '@trove/crypto-rpc';
import { forEachOf } from './round.ts';

const PAGE = 200;
const AT_ONCE = 4;
const ASK_AGAIN_MS = 300_000;

export interface LegacyVolumesDeps {
  readonly catalog: Catalog;
  readonly guests: Pick<GuestClient, 'call'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lowMs: number;
  readonly reportedWithinMs: number;
}

/** Legacy guests do not report their volume: each is asked at first sight, and again every 5 min. */
export function createLegacyVolumes(deps: LegacyVolumesDeps): (signal: AbortSignal) => Promise<void> {
  let asked = new Map<string, number>();

  const ask = async (instanceId: string): Promise<void> => {
    try {
      const stats = await deps.guests.call(
        instanceId,
        'get_filesystem_stats',
        { fs_path: null },
        { deadlineMs: deps.lowMs },
      );
      await withTransaction(deps.catalog, (tx) =>
        writeVolumeFigures(tx, { instanceId, used: stats.used, total: stats.total }),
      );
    } catch (error) {
      deps.logger.info('a legacy guest did not tell its volume', { instance_id: instanceId, error });
    }
  };

  return async (signal) => {
    const now = deps.clock.monotonic();
    const seen = new Map<string, number>();
    for (let after = ''; !signal.aborted; ) {
      const page = await legacyInstancesToAsk(deps.catalog.knex, {
        after,
        limit: PAGE,
        reportedWithinMs: deps.reportedWithinMs,
      });
      const due = page.filter((id) => isDue(asked.get(id), now));
      for (const id of page) seen.set(id, due.includes(id) ? now : (asked.get(id) ?? now));
      await forEachOf(due, AT_ONCE, ask);
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) break;
      after = last;
    }
    asked = seen;
  };
}

function isDue(lastAsked: number | undefined, now: number): boolean {
  return lastAsked === undefined || now - lastAsked >= ASK_AGAIN_MS;
}
