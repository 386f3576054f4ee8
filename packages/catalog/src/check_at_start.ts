import type { Logger } from '@trove/common';
import type { Catalog } from './catalog.ts';
import { requireCurrentCatalog } from './current_catalog.ts';
import { isUnavailable } from './errors.ts';

/**
 * What a service asks of its catalog before it starts: that it is at the version of this release, then `check`. Rejects
 * with `CONFLICT`, or as `check` does. A catalog that does not answer now is no reason: the service waits for it. False where
 * that is so, and nothing was checked.
 */
export async function checkCatalogAtStart(
  catalog: Catalog,
  logger: Logger,
  check?: (catalog: Catalog) => Promise<void>,
): Promise<boolean> {
  try {
    await requireCurrentCatalog(catalog);
    await check?.(catalog);
    return true;
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    logger.warn('the catalog does not answer: neither its version nor what its instances need is known', { error });
    return false;
  }
}
