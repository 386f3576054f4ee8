import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { openCatalog } from '@trove/catalog';
import { type Logger, loadBrokerTls, runService, type Secret, TroveError, transportUrlWithTls } from '@trove/common';
import { createDetachedAgentRunner, flavorsFileOf, houseGuests, LocalCompute } from '@trove/compute';
import { createAmqpBus } from '@trove/crypto-rpc';
import { findInstallations, inspectFolder } from '@trove/datastores';
import { openBrokerAccounts } from './broker/open_broker_accounts.ts';
import { checkKeys } from './check_keys.ts';
import { guestTransport } from './guest_transport.ts';
import { type TaskmanagerConfig, taskmanagerOptions } from './options.ts';
import { buildTaskmanager } from './taskmanager.ts';

const NAME = 'trove-taskmanager';
const AGENT = fileURLToPath(new URL('../../guestagent/bin/trove-guestagent.js', import.meta.url));

await runService({
  name: NAME,
  options: taskmanagerOptions,
  async start(config, { logger, metrics }) {
    const defaults = config.DEFAULT;
    const urls = busUrls(config);
    const tls = loadBrokerTls(config.oslo_messaging_rabbit, [
      urls.clear,
      urls.sealed,
      ...(defaults.guest_transport_url === undefined ? [] : [defaults.guest_transport_url]),
    ]);
    checkKeys(defaults, urls, logger);
    const catalog = openCatalog({ connection: catalogUrl(config) });
    const host = hostOf(defaults.host);
    const compute = openCompute(config, host, logger);
    const legacyBus = await createAmqpBus({ transportUrl: urls.clear, tls, connectionName: NAME, logger });
    const oneBus = urls.clear.reveal() === urls.sealed.reveal();
    const sealedBus = oneBus
      ? legacyBus
      : await createAmqpBus({ transportUrl: urls.sealed, tls, connectionName: NAME, logger });
    const seenByGuests =
      defaults.guest_transport_url &&
      transportUrlWithTls(defaults.guest_transport_url, 'guest_transport_url', config.oslo_messaging_rabbit);
    const accounts = await openBrokerAccounts(defaults, urls.sealed, logger);
    const taskmanager = buildTaskmanager({
      ...{ catalog, sealedBus, legacyBus, compute, accounts, logger, metrics },
      controlKeys: { ring: defaults.taskmanager_rpc_encr_key },
      keyRings: {
        instance: defaults.inst_rpc_key_encr_key,
        uplink: defaults.inst_rpc_uplink_encr_key,
        format: defaults.at_rest_format,
      },
      settings: { ...defaults, host },
      guestTransport: {
        clear: guestTransport(urls.clear, 'transport_url', seenByGuests),
        sealed: guestTransport(urls.sealed, 'sealed_transport_url', seenByGuests),
        authority: tls?.material.ca,
      },
    });
    await compute.adoptAll();
    await taskmanager.start();
    return {
      health: () => taskmanager.health(),
      readyText: `as ${host}`,
      async close() {
        await taskmanager.close();
        await compute.close({ stopServers: false });
        await legacyBus.close();
        if (!oneBus) await sealedBus.close();
        await accounts?.close();
        await catalog.close();
      },
    };
  },
});

function busUrls(config: TaskmanagerConfig): { clear: Secret; sealed: Secret } {
  const { transport_url: given, sealed_transport_url } = config.DEFAULT;
  if (given === undefined) throw new TroveError('CONFIG_INVALID', '[DEFAULT] transport_url is not set.');
  const rabbit = config.oslo_messaging_rabbit;
  const clear = transportUrlWithTls(given, 'transport_url', rabbit);
  if (sealed_transport_url === undefined) return { clear, sealed: clear };
  return { clear, sealed: transportUrlWithTls(sealed_transport_url, 'sealed_transport_url', rabbit) };
}

function catalogUrl({ database }: TaskmanagerConfig): string {
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

/** 0.0.0.0, Trove's default, names no host: servers belong to the machine then. */
function hostOf(host: string): string {
  return host === '0.0.0.0' ? hostname() : host;
}

function openCompute(config: TaskmanagerConfig, host: string, logger: Logger): LocalCompute {
  const { compute_driver: driver } = config.DEFAULT;
  if (driver !== 'local')
    throw new TroveError('CONFIG_INVALID', `[DEFAULT] compute_driver: "${driver}" is not part of this release.`);
  const local = config.compute_local;
  const housing = houseGuests({ root: local.root, user: local.user });
  for (const notice of housing.notices) logger.warn('guests live elsewhere than was asked for', { notice });
  return new LocalCompute({
    root: housing.root,
    network: local.network,
    flavorsFile: flavorsFileOf({ root: local.root, flavorsFile: local.flavors_file }),
    namedImages: local.image,
    host,
    installations: { find: findInstallations, inspect: inspectFolder },
    account: housing.account,
    reachable: housing.reachable,
    runner: createDetachedAgentRunner({
      program: housing.reachable(AGENT),
      node: housing.reachable(process.execPath),
    }),
    logger,
  });
}
