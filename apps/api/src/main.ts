import { hostname } from 'node:os';
import { openCatalog } from '@trove/catalog';
import { checkPublishedKeys, type Logger, runService, type Secret, TroveError } from '@trove/common';
import { LocalCompute } from '@trove/compute';
import { createAmqpBus, createTaskmanagerClient } from '@trove/crypto-rpc';
import { findInstallations, inspectFolder } from '@trove/datastores';
import { type Identity, loadStaticTokens } from '@trove/identity';
import { buildApi } from './build_api.ts';
import { type ApiConfig, apiOptions, settingsOf } from './options.ts';

const NAME = 'trove-api';

await runService({
  name: NAME,
  options: apiOptions,
  async start(config, { logger }) {
    const defaults = config.DEFAULT;
    const controlRing = controlRingOf(defaults);
    const identity = await openIdentity(config, logger);
    const compute = openCompute(config, logger);
    const catalog = openCatalog({ connection: catalogUrl(config) });
    const bus = await createAmqpBus({ transportUrl: busUrl(defaults), connectionName: NAME, logger });
    const taskmanager = createTaskmanagerClient({
      bus,
      controlKeys: { ring: controlRing },
      controlExchange: defaults.control_exchange,
      taskmanagerQueue: defaults.taskmanager_queue,
      logger,
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
    });
    const address = await api.listen({ host: defaults.bind_host, port: defaults.bind_port });
    return {
      health: api.health,
      readyText: `on ${address}`,
      async close() {
        await api.close();
        await taskmanager.close();
        await bus.close();
        await catalog.close();
        await compute.close({ stopServers: false });
      },
    };
  },
});

/** With the switch on the control plane speaks sealed, and its bus is the sealed one; off, it speaks in clear. */
function controlRingOf(defaults: ApiConfig['DEFAULT']): readonly Secret[] {
  checkPublishedKeys(defaults);
  if (!defaults.enable_secure_rpc_messaging) return [];
  if (defaults.taskmanager_rpc_encr_key.length > 0) return defaults.taskmanager_rpc_encr_key;
  throw new TroveError(
    'CONFIG_INVALID',
    '[DEFAULT] taskmanager_rpc_encr_key is not set, and enable_secure_rpc_messaging is on.',
  );
}

function busUrl(defaults: ApiConfig['DEFAULT']): Secret {
  const clear = defaults.transport_url;
  const url = defaults.enable_secure_rpc_messaging ? (defaults.sealed_transport_url ?? clear) : clear;
  if (url === undefined) throw new TroveError('CONFIG_INVALID', '[DEFAULT] transport_url is not set.');
  return url;
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

/** Opened for its flavors and images alone: servers are the taskmanager's, so nothing here can start an agent. */
function openCompute({ DEFAULT: defaults, compute_local: local }: ApiConfig, logger: Logger): LocalCompute {
  if (defaults.compute_driver !== 'local') {
    throw new TroveError(
      'CONFIG_INVALID',
      `[DEFAULT] compute_driver: "${defaults.compute_driver}" is not part of this release.`,
    );
  }
  return new LocalCompute({
    root: local.root,
    network: local.network,
    flavorsFile: local.flavors_file,
    namedImages: local.image,
    host: defaults.host === '0.0.0.0' ? hostname() : defaults.host,
    installations: { find: findInstallations, inspect: inspectFolder },
    account: undefined,
    runner: {
      start: () => Promise.reject(new TroveError('COMPUTE_ERROR', 'The api starts no agents.')),
      adopt: () => undefined,
    },
    logger,
  });
}
