import { checkPublishedKeys, type Logger, TroveError } from '@trove/common';
import type { ConductorConfig } from './options.ts';

/** Refuses settings that cannot hold, and warns at each start of those that are weaker than they could be. Throws `CONFIG_INVALID`. */
export function checkKeys(config: ConductorConfig['DEFAULT'], logger: Logger): void {
  const { inst_rpc_key_encr_key: instance, inst_rpc_uplink_encr_key: uplink } = config;
  if (config.enable_secure_rpc_messaging && instance.length === 0 && uplink.length === 0) {
    throw new TroveError(
      'CONFIG_INVALID',
      '[DEFAULT] neither inst_rpc_uplink_encr_key nor inst_rpc_key_encr_key is set, and enable_secure_rpc_messaging is on.',
    );
  }
  for (const setting of checkPublishedKeys(config)) {
    logger.warn('a published default is in use: everyone knows it', { setting });
  }
  if (instance.length > 0) {
    logger.warn(
      'this conductor could command guests: give it inst_rpc_uplink_encr_key and take inst_rpc_key_encr_key out of its file',
    );
  }
}
