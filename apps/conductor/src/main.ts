import { checkRings, openServiceCatalog, startChecked } from '@trove/catalog';
import { busUrls, loadBrokerTls, runService, sharedCatalogUrl } from '@trove/common';
import { createAmqpBuses } from '@trove/crypto-rpc';
import { checkKeys } from './check_keys.ts';
import { buildConductor } from './conductor.ts';
import { conductorOptions } from './options.ts';

const NAME = 'trove-conductor';

await runService({
  name: NAME,
  options: conductorOptions,
  async start(config, { logger, metrics, stop }) {
    const defaults = config.DEFAULT;
    const urls = busUrls(defaults, config.oslo_messaging_rabbit);
    const tls = loadBrokerTls(config.oslo_messaging_rabbit, [urls.clear, urls.sealed]);
    checkKeys(defaults, logger);
    const catalog = openServiceCatalog(sharedCatalogUrl(config), { acquireTimeoutMs: 20_000 });
    const keyRings = { instance: defaults.inst_rpc_key_encr_key, uplink: defaults.inst_rpc_uplink_encr_key };
    const starting = await startChecked(catalog, {
      ...{ logger, stop },
      check: (answering) => checkRings(answering, keyRings),
    });
    const buses = await createAmqpBuses(urls, { connectionName: NAME, logger, tls });
    const conductor = buildConductor({
      ...{ catalog, sealedBus: buses.sealedBus, legacyBus: buses.legacyBus, logger, metrics },
      keyRings,
      settings: defaults,
    });
    await conductor.start();
    return {
      health: () => conductor.health(),
      async close() {
        await starting.close();
        await conductor.close();
        await buses.close();
        await catalog.close();
      },
    };
  },
});
