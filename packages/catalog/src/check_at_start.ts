import { type Clock, type Logger, systemClock } from '@trove/common';
import type { Catalog } from './catalog.ts';
import { requireCurrentCatalog } from './current_catalog.ts';
import { isUnavailable } from './errors.ts';

const AGAIN_MS = 2000;

/**
 * What a service asks of its catalog before it starts: that it is at the version of this release, then `check`. Rejects
 * with `CONFLICT`, or as `check` does. A catalog that does not answer now is no reason: the service waits for it. False where
 * that is so, and nothing was checked.
 */
async function checkCatalogAtStart(
  catalog: Catalog,
  logger: Logger,
  check: (catalog: Catalog) => Promise<void>,
): Promise<boolean> {
  try {
    await requireCurrentCatalog(catalog);
    await check(catalog);
    return true;
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    logger.warn('the catalog does not answer: neither its version nor what its instances need is known', { error });
    return false;
  }
}

interface CheckedStart {
  readonly logger: Logger;
  readonly clock?: Clock | undefined;
  /** Rejects where the service is not set up for this catalog. */
  check(catalog: Catalog): Promise<void>;
  /** What the service does once it has been checked. */
  begin?(): Promise<void>;
  /** Ends the service: the catalog answered late, and is not the one that it is set up for. */
  stop?: (() => void) | undefined;
}

/**
 * `checkCatalogAtStart`, and where the catalog does not answer now again until it does: nothing is begun, let alone written,
 * under keys that may be wrong ones. Rejects as that does. `close` gives the waiting up.
 */
export async function startChecked(catalog: Catalog, options: CheckedStart): Promise<{ close(): Promise<void> }> {
  const { logger, clock = systemClock, check, begin, stop } = options;
  const isRight = (): Promise<boolean> => checkCatalogAtStart(catalog, logger, check);
  const ending = new AbortController();
  const beginLate = async (): Promise<void> => {
    try {
      do await clock.sleep(AGAIN_MS, ending.signal);
      while (!(await isRight()));
      await begin?.();
    } catch (error) {
      if (ending.signal.aborted) return;
      logger.error('this service is not set up for its catalog', { error });
      stop?.();
    }
  };
  let late: Promise<void> | undefined;
  if (await isRight()) await begin?.();
  else late = beginLate();
  return {
    async close() {
      ending.abort();
      await late;
    },
  };
}
