import { checkPublishedKeys, type Logger, parseTransportUrl, type Secret, TroveError } from '@trove/common';
import type { TaskmanagerConfig } from './options.ts';

type Defaults = TaskmanagerConfig['DEFAULT'];

/** Refuses settings that cannot hold, and warns at each start of those that are weaker than they could be. Throws `CONFIG_INVALID`. */
export function checkKeys(config: Defaults, buses: { clear: Secret; sealed: Secret }, logger: Logger): void {
  if (config.enable_secure_rpc_messaging) {
    for (const name of ['taskmanager_rpc_encr_key', 'inst_rpc_key_encr_key'] as const) {
      if (config[name].length > 0) continue;
      throw new TroveError('CONFIG_INVALID', `[DEFAULT] ${name} is not set, and enable_secure_rpc_messaging is on.`);
    }
  }
  for (const setting of checkPublishedKeys(config)) {
    logger.warn('a published default is in use: everyone knows it', { setting });
  }
  if (sameVhost(buses.clear, buses.sealed)) {
    logger.warn(
      "sealed and legacy messages share one vhost: legacy guests' shared account can drain the queues of sealed ones",
    );
  }
}

function sameVhost(clear: Secret, sealed: Secret): boolean {
  const [one, other] = [parseTransportUrl(clear, 'transport_url'), parseTransportUrl(sealed, 'sealed_transport_url')];
  const hosts = new Set(one.hosts.map(({ host, port }) => `${host}:${port}`));
  return one.vhost === other.vhost && other.hosts.some(({ host, port }) => hosts.has(`${host}:${port}`));
}
