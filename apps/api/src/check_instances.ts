import type { Catalog, InstanceRow } from '@trove/catalog';
import { type Secret, TroveError } from '@trove/common';

/** Refuses to speak in clear to the taskmanager beside sealed instances. Throws `CONFIG_INVALID`. */
export async function checkInstances({ knex }: Catalog, controlRing: readonly Secret[]): Promise<void> {
  if (controlRing.length > 0) return;
  const sealed = await knex<InstanceRow>('instances').where({ deleted: 0, rpc_policy: 2 }).first('id');
  if (sealed === undefined) return;
  throw new TroveError(
    'CONFIG_INVALID',
    '[DEFAULT] taskmanager_rpc_encr_key is not set, and the catalog has sealed instances.',
  );
}
