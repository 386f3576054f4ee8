import { type Catalog, type InstanceRow, isUnavailable, type KeyRings } from '@trove/catalog';
import { type Logger, type Secret, TroveError } from '@trove/common';

/**
 * Refuses to start without a key that instances of this catalog need: with sealed guests the control plane is not in clear,
 * and a keyed guest is not spoken to without its key. Throws `CONFIG_INVALID` naming the option. A catalog that does not
 * answer now is no reason: the service waits for it.
 */
export async function checkInstances(deps: {
  catalog: Catalog;
  controlRing: readonly Secret[];
  keyRings: KeyRings;
  logger: Logger;
}): Promise<void> {
  const { controlRing, keyRings, logger } = deps;
  if (controlRing.length > 0 && keyRings.instance.length > 0) return;
  try {
    const policy = await highestPolicy(deps.catalog);
    if (policy === 2 && controlRing.length === 0) throw missing('taskmanager_rpc_encr_key', 'sealed instances');
    if (policy > 0 && keyRings.instance.length === 0) throw missing('inst_rpc_key_encr_key', 'instances with a key');
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    logger.warn('the catalog does not answer; whether its instances need a key that is not set is not known', {
      error,
    });
  }
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
