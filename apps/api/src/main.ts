import { createCatalogClock, openCatalog } from '@trove/catalog';
import {
  checkPublishedKeys,
  type Logger,
  loadBrokerTls,
  loadTlsServer,
  runService,
  type Secret,
  TroveError,
  transportUrlWithTls,
} from '@trove/common';
import { localChoices } from '@trove/compute';
import { createAmqpBus, createRefusalAudit, createTaskmanagerClient } from '@trove/crypto-rpc';
import { findInstallations, inspectFolder } from '@trove/datastores';
import { type Identity, loadStaticTokens } from '@trove/identity';
import { buildApi } from './build_api.ts';
import { checkInstances } from './check_instances.ts';
import type { ComputeCatalog } from './deps.ts';
import { type ApiConfig, apiOptions, settingsOf } from './options.ts';

const NAME = 'trove-api';

await runService({
  name: NAME,
  options: apiOptions,
  async start(config, { logger, metrics }) {
    const defaults = config.DEFAULT;
    const controlRing = controlRingOf(defaults);
    const identity = await openIdentity(config, logger);
    const compute = choices(config);
    const catalog = openCatalog({ connection: catalogUrl(config) });
    await checkInstances(catalog, controlRing, logger);
    const transportUrl = busUrl(config, controlRing);
    const tls = loadBrokerTls(config.oslo_messaging_rabbit, [transportUrl]);
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
        await api.close();
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

function busUrl(config: ApiConfig, controlRing: readonly Secret[]): Secret {
  const { transport_url: clear, sealed_transport_url: sealed } = config.DEFAULT;
  const url = controlRing.length > 0 ? (sealed ?? clear) : clear;
  if (url === undefined) throw new TroveError('CONFIG_INVALID', '[DEFAULT] transport_url is not set.');
  return transportUrlWithTls(url, 'transport_url', config.oslo_messaging_rabbit);
}

function catalogUrl({ database }: ApiConfig): string {
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

async function openIdentity({ DEFAULT: defaults, static_auth }: ApiConfig, logger: Logger): Promise<Identity> {
  if (defaults.auth_strategy !== 'static') {
    throw new TroveError(
      'CONFIG_INVALID',
      `[DEFAULT] auth_strategy: "${defaults.auth_strategy}" is not part of this release.`,
    );
  }
  if (static_auth.tokens_file === undefined)
    throw new TroveError('CONFIG_INVALID', '[static_auth] tokens_file is not set.');
  return await loadStaticTokens(static_auth.tokens_file, logger);
}

function choices({ DEFAULT: defaults, compute_local: local }: ApiConfig): ComputeCatalog {
  if (defaults.compute_driver !== 'local') {
    throw new TroveError(
      'CONFIG_INVALID',
      `[DEFAULT] compute_driver: "${defaults.compute_driver}" is not part of this release.`,
    );
  }
  return localChoices({
    root: local.root,
    flavorsFile: local.flavors_file,
    namedImages: local.image,
    installations: { find: findInstallations, inspect: inspectFolder },
  });
}
