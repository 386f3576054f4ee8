import { openCatalog } from '@trove/catalog';
import { runService, TroveError } from '@trove/common';
import { createAmqpBus } from '@trove/crypto-rpc';
import { checkKeys } from './check_keys.ts';
import { buildConductor } from './conductor.ts';
import { type ConductorConfig, conductorOptions } from './options.ts';

const NAME = 'trove-conductor';

await runService({
  name: NAME,
  options: conductorOptions,
  async start(config, { logger }) {
    const defaults = config.DEFAULT;
    const clear = defaults.transport_url;
    if (clear === undefined) throw new TroveError('CONFIG_INVALID', '[DEFAULT] transport_url is not set.');
    const sealed = defaults.sealed_transport_url ?? clear;
    checkKeys(defaults, logger);
    const catalog = openCatalog({ connection: catalogUrl(config) });
    const legacyBus = await createAmqpBus({ transportUrl: clear, connectionName: NAME, logger });
    const oneBus = clear.reveal() === sealed.reveal();
    const sealedBus = oneBus ? legacyBus : await createAmqpBus({ transportUrl: sealed, connectionName: NAME, logger });
    const conductor = buildConductor({
      ...{ catalog, sealedBus, legacyBus, logger },
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
