import { openServiceCatalog } from '@trove/catalog';
import { busUrls, loadBrokerTls, runService, sharedCatalogUrl, transportUrlWithTls } from '@trove/common';
import { createAmqpBuses } from '@trove/crypto-rpc';
import { openBrokerAccounts } from './broker/open_broker_accounts.ts';
import { checkKeys } from './check_keys.ts';
import { readDeploymentId } from './deployment_id.ts';
import { guestTransport } from './guest_transport.ts';
import { hostNameOf } from './local_compute.ts';
import { openCompute } from './open_compute.ts';
import { taskmanagerOptions } from './options.ts';
import { buildTaskmanager } from './taskmanager.ts';

const NAME = 'trove-taskmanager';

await runService({
  name: NAME,
  options: taskmanagerOptions,
  async start(config, { logger, metrics, graceMs, stop }) {
    const defaults = config.DEFAULT;
    const urls = busUrls(defaults, config.oslo_messaging_rabbit);
    const tls = loadBrokerTls(config.oslo_messaging_rabbit, [
      urls.clear,
      urls.sealed,
      ...(defaults.guest_transport_url === undefined ? [] : [defaults.guest_transport_url]),
    ]);
    checkKeys(defaults, urls, logger);
    const catalog = openServiceCatalog(sharedCatalogUrl(config), { acquireTimeoutMs: 20_000 });
    const host = hostNameOf(defaults.host);
    const compute = await openCompute(config, () => readDeploymentId(catalog), logger);
    const buses = await createAmqpBuses(urls, { connectionName: NAME, logger, tls });
    const seenByGuests =
      defaults.guest_transport_url &&
      transportUrlWithTls(defaults.guest_transport_url, 'guest_transport_url', config.oslo_messaging_rabbit);
    const accounts = await openBrokerAccounts(defaults, urls.sealed, logger, () => readDeploymentId(catalog));
    const taskmanager = buildTaskmanager({
      ...{ catalog, sealedBus: buses.sealedBus, legacyBus: buses.legacyBus, accounts, logger, metrics, stop },
      compute: compute.driver,
      controlKeys: { ring: defaults.taskmanager_rpc_encr_key },
      keyRings: {
        instance: defaults.inst_rpc_key_encr_key,
        uplink: defaults.inst_rpc_uplink_encr_key,
        format: defaults.at_rest_format,
      },
      settings: { ...defaults, host },
      graceMs,
      reconcile: defaults,
      guestTransport: {
        clear: guestTransport(urls.clear, 'transport_url', seenByGuests),
        sealed: guestTransport(urls.sealed, 'sealed_transport_url', seenByGuests),
        authority: tls?.material.ca,
      },
    });
    await compute.start();
    await taskmanager.start();
    return {
      health: () => taskmanager.health(),
      readyText: `as ${host}`,
      async close() {
        await taskmanager.close();
        await compute.close();
        await buses.close();
        await accounts?.close();
        await catalog.close();
      },
    };
  },
});
