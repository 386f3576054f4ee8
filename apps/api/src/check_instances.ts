import { type Catalog, isUnavailable } from '@trove/catalog';
import { type Logger, type Secret, TroveError } from '@trove/common';

/**
 * Refuses to speak in clear to the taskmanager beside sealed instances. Throws `CONFIG_INVALID`. A catalog that does not
 * answer now is no reason: the service waits for it.
 */
export async function checkInstances({ knex }: Catalog, controlRing: readonly Secret[], logger: Logger): Promise<void> {
  if (controlRing.length > 0) return;
  try {
    const sealed = await knex('instances').where({ deleted: 0, rpc_policy: 2 }).first('id');
    if (sealed === undefined) return;
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    logger.warn('the catalog does not answer; whether it has sealed instances is not known', { error });
    return;
  }
  throw new TroveError(
    'CONFIG_INVALID',
    '[DEFAULT] taskmanager_rpc_encr_key is not set, and the catalog has sealed instances.',
  );
}
