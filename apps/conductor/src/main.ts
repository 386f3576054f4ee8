import { openCatalog } from '@trove/catalog';
import { loadBrokerTls, runService, TroveError, transportUrlWithTls } from '@trove/common';
import { createAmqpBus } from '@trove/crypto-rpc';
import { checkKeys } from './check_keys.ts';
import { buildConductor } from './conductor.ts';
import { type ConductorConfig, conductorOptions } from './options.ts';

const NAME = 'trove-conductor';

await runService({
  name: NAME,
  options: conductorOptions,
  async start(config, { logger, metrics }) {
    const defaults = config.DEFAULT;
    const rabbit = config.oslo_messaging_rabbit;
    if (defaults.transport_url === undefined)
      throw new TroveError('CONFIG_INVALID', '[DEFAULT] transport_url is not set.');
    const clear = transportUrlWithTls(defaults.transport_url, 'transport_url', rabbit);
    const sealed = transportUrlWithTls(defaults.sealed_transport_url ?? clear, 'sealed_transport_url', rabbit);
    const tls = loadBrokerTls(rabbit, [clear, sealed]);
    checkKeys(defaults, logger);
    const catalog = openCatalog({ connection: catalogUrl(config) });
    const legacyBus = await createAmqpBus({ transportUrl: clear, tls, connectionName: NAME, logger });
    const oneBus = clear.reveal() === sealed.reveal();
    const sealedBus = oneBus
      ? legacyBus
      : await createAmqpBus({ transportUrl: sealed, tls, connectionName: NAME, logger });
    const conductor = buildConductor({
      ...{ catalog, sealedBus, legacyBus, logger, metrics },
      keyRings: { instance: defaults.inst_rpc_key_encr_key, uplink: defaults.inst_rpc_uplink_encr_key },
      settings: defaults,
    });
    await conductor.start();
    return {
      health: () => conductor.health(),
      async close() {
        await conductor.close();
        await legacyBus.close();
        if (!oneBus) await sealedBus.close();
        await catalog.close();
      },
    };
  },
});

function catalogUrl({ database }: ConductorConfig): string {
  const url = database.connection?.reveal();
  if (url === undefined) throw new TroveError('CONFIG_INVALID', '[database] connection is not set.');
  if (url.startsWith('sqlite:')) {
    throw new TroveError(
      'CONFIG_INVALID',
      '[database] connection: SQLite has one writer at a time and is for trove-standalone only; give a mysql:// URL.',
    );
  }
  return url;
}
