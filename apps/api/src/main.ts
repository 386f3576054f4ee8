import { checkRings, createCatalogClock, openServiceCatalog, startChecked } from '@trove/catalog';
import {
  busUrls,
  checkPublishedKeys,
  type Logger,
  loadBrokerTls,
  loadTlsServer,
  runService,
  type Secret,
  sharedCatalogUrl,
  TroveError,
} from '@trove/common';
import { createAmqpBus, createRefusalAudit, createTaskmanagerClient } from '@trove/crypto-rpc';
import { type Identity, loadStaticTokens } from '@trove/identity';
import { buildApi } from './build_api.ts';
import { checkInstances } from './check_instances.ts';
import { computeChoices } from './compute_choices.ts';
import { type ApiConfig, apiOptions, settingsOf } from './options.ts';

const NAME = 'trove-api';

await runService({
  name: NAME,
  options: apiOptions,
  async start(config, { logger, metrics, graceMs, stop }) {
    const defaults = config.DEFAULT;
    const controlRing = controlRingOf(defaults);
    const identity = await openIdentity(config, logger);
    const compute = computeChoices(config);
    const urls = busUrls(defaults, config.oslo_messaging_rabbit);
    const transportUrl = controlRing.length > 0 ? urls.sealed : urls.clear;
    const tls = loadBrokerTls(config.oslo_messaging_rabbit, [transportUrl]);
    const catalog = openServiceCatalog(sharedCatalogUrl(config), { acquireTimeoutMs: 5000 });
    const starting = await startChecked(catalog, {
      ...{ logger, stop },
      async check(answering) {
        await checkInstances(answering, controlRing);
        await checkRings(answering, { control: controlRing });
      },
    });
    const bus = await createAmqpBus({ transportUrl, tls, connectionName: NAME, logger });
    const clock = createCatalogClock(catalog, { logger });
    await clock.start();
    const taskmanager = createTaskmanagerClient({
      bus,
      clock,
      controlKeys: { ring: controlRing },
      controlExchange: defaults.control_exchange,
      taskmanagerQueue: defaults.taskmanager_queue,
      logger,
      onRefused: createRefusalAudit(logger, metrics),
    });
    const api = await buildApi({
      settings: settingsOf(config),
      catalog,
      identity,
      compute,
      taskmanager,
      bus,
      controlRing,
      logger,
      metrics,
      tls: loadTlsServer(config.ssl),
    });
    const address = await api.listen({ host: defaults.bind_host, port: defaults.bind_port });
    return {
      health: api.health,
      readyText: `on ${address}`,
      async close() {
        await starting.close();
        // Calls to guests may take minutes: they are answered with 503 then.
        const graceOver = setTimeout(() => void taskmanager.close(), graceMs);
        await api.close();
        clearTimeout(graceOver);
        await taskmanager.close();
        clock.stop();
        await bus.close();
        await catalog.close();
      },
    };
  },
});

/** Sealed wherever there is a key to seal with; without one only where new instances get none either. */
function controlRingOf(defaults: ApiConfig['DEFAULT']): readonly Secret[] {
  checkPublishedKeys(defaults);
  const ring = defaults.taskmanager_rpc_encr_key;
  if (ring.length > 0 || !defaults.enable_secure_rpc_messaging) return ring;
  throw new TroveError(
    'CONFIG_INVALID',
    '[DEFAULT] taskmanager_rpc_encr_key is not set, and enable_secure_rpc_messaging is on.',
  );
}

async function openIdentity({ static_auth }: ApiConfig, logger: Logger): Promise<Identity> {
  if (static_auth.tokens_file === undefined)
    throw new TroveError('CONFIG_INVALID', '[static_auth] tokens_file is not set.');
  return await loadStaticTokens(static_auth.tokens_file, logger);
}
