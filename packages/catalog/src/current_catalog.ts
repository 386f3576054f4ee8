import { TroveError } from '@trove/common';
import { catalogVersion, LATEST_VERSION } from '@trove/migrations';
import type { Catalog } from './catalog.ts';

/** Rejects with `CONFLICT`, saying what to run, where the catalog is not at the version that this release is written for. */
export async function requireCurrentCatalog(catalog: Catalog): Promise<void> {
  const version = await catalogVersion(catalog.knex);
  if (version === LATEST_VERSION) return;
  const remedy =
    version < LATEST_VERSION
      ? 'run "trove-manage db_sync" first'
      : `a newer release has changed it; start that one's services, or go back with its "trove-manage db_downgrade ${LATEST_VERSION}"`;
  throw new TroveError(
    'CONFLICT',
    `The catalog is at version ${version}, this release needs ${LATEST_VERSION}: ${remedy}.`,
  );
}
