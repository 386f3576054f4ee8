import type { Catalog, DeploymentRow } from '@trove/catalog';
import { TroveError } from '@trove/common';

/** Made once by `db_sync`; everything that is made outside carries it. */
export async function readDeploymentId({ knex }: Catalog): Promise<string> {
  const row = await knex<DeploymentRow>('deployment').first('deployment_id');
  if (row === undefined)
    throw new TroveError('CATALOG_UNAVAILABLE', 'The catalog has no deployment id: run trove-manage db_sync.', {
      retryable: true,
    });
  return row.deployment_id;
}
