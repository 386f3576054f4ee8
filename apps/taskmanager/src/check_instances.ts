import type { Catalog, InstanceRow, KeyRings } from '@trove/catalog';
import { type Secret, TroveError } from '@trove/common';

/**
 * Refuses to start without a key that instances of this catalog need: with sealed guests the control plane is not in clear,
 * and a keyed guest is not spoken to without its key. Throws `CONFIG_INVALID` naming the option.
 */
export async function checkInstances(
  catalog: Catalog,
  controlRing: readonly Secret[],
  keyRings: KeyRings,
): Promise<void> {
  if (controlRing.length > 0 && keyRings.instance.length > 0) return;
  const policy = await highestPolicy(catalog);
  if (policy === 2 && controlRing.length === 0) throw missing('taskmanager_rpc_encr_key', 'sealed instances');
  if (policy > 0 && keyRings.instance.length === 0) throw missing('inst_rpc_key_encr_key', 'instances with a key');
}

async function highestPolicy({ knex }: Catalog): Promise<number> {
  const row = await knex<InstanceRow>('instances')
    .where({ deleted: 0 })
    .orderBy('rpc_policy', 'desc')
    .first('rpc_policy');
  return row?.rpc_policy ?? 0;
}

function missing(option: string, what: string): TroveError {
  return new TroveError('CONFIG_INVALID', `[DEFAULT] ${option} is not set, and the catalog has ${what}.`);
}
