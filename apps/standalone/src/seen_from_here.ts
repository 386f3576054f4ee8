import { computeChoices } from '@trove/api';
import { type InvariantDeps, type NamedSecret, openCatalog } from '@trove/catalog';
import { type ConfigSources, type Outside } from '@trove/cli';
import {
  busUrls,
  loadBrokerTls,
  loadConfig,
  parseTransportUrl,
  Secret,
  sharedCatalogUrl,
  silentLogger,
} from '@trove/common';
import { localThings, type OwnedThing, openDockerCompute } from '@trove/compute';
import { busTap, readBroker, readDeploymentId, type TaskmanagerConfig, taskmanagerOptions } from '@trove/taskmanager';

/** Compute and broker as a program beside the services sees them: it opens no driver, and only asks. */
export function seenFromHere({ files, env }: ConfigSources): Outside {
  const config = loadConfig({ files, env, options: taskmanagerOptions, service: 'trove-manage' });
  return {
    things: thingsOf(config),
    flavors: { read: async () => await computeChoices(config).flavors() },
    broker: brokerOf(config),
    secrets: secretsOf(config),
    tap: (seconds) => tapOf(config, seconds),
  };
}

function thingsOf(config: TaskmanagerConfig): Outside['things'] {
  if (config.DEFAULT.compute_driver === 'docker') return { read: () => dockerThings(config) };
  const { root } = config.compute_local;
  const things = localThings({ root });
  if (things === undefined) return { notChecked: `compute: [compute_local] root = ${root} is not on this machine` };
  return { read: async () => localThings({ root }) ?? [] };
}

async function dockerThings(config: TaskmanagerConfig): Promise<readonly OwnedThing[]> {
  const catalog = openCatalog({ connection: sharedCatalogUrl(config), poolSize: 1 });
  try {
    const compute = await openDockerCompute(config.compute_docker);
    return await compute.listOwned(await readDeploymentId(catalog));
  } finally {
    await catalog.close();
  }
}

function tapOf({ DEFAULT: defaults, oslo_messaging_rabbit: rabbit }: TaskmanagerConfig, seconds: number): Tap {
  const { broker_management_url, broker_management_ca, taskmanager_queue, taskmanager_rpc_encr_key } = defaults;
  if (broker_management_url === undefined)
    return { notChecked: 'the bus: broker_management_url is not set in these files' };
  const urls = busUrls(defaults, rabbit);
  return {
    read: (look) =>
      untilSignal((signal) =>
        busTap({
          ...{ seconds, urls, signal, logger: silentLogger },
          management: { broker_management_url, broker_management_ca },
          tls: loadBrokerTls(rabbit, [urls.clear, urls.sealed]),
          sealedTopics: taskmanager_rpc_encr_key.length > 0 ? [taskmanager_queue] : [],
        }).read(look),
      ),
  };
}

type Tap = ReturnType<Outside['tap']>;

/** A first SIGINT or SIGTERM is heard by `work` alone, so that it can put back what it has changed; a second one ends the process. */
async function untilSignal<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const told = new AbortController();
  const stop = (name: NodeJS.Signals): void => told.abort(new Error(`ended by ${name}`));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    return await work(told.signal);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

function brokerOf({ DEFAULT: defaults, oslo_messaging_rabbit: rabbit }: TaskmanagerConfig): InvariantDeps['broker'] {
  const { broker_management_url } = defaults;
  if (broker_management_url === undefined)
    return { notChecked: 'the broker: broker_management_url is not set in these files' };
  const { sealed } = busUrls(defaults, rabbit);
  return { read: () => readBroker({ ...defaults, broker_management_url }, sealed) };
}

function secretsOf({ DEFAULT: defaults, database }: TaskmanagerConfig): NamedSecret[] {
  const rings = ['taskmanager_rpc_encr_key', 'inst_rpc_key_encr_key', 'inst_rpc_uplink_encr_key'] as const;
  const keys = rings.flatMap((name) => defaults[name].map((secret) => ({ name, secret })));
  const urls = {
    '[database] connection': database.connection,
    transport_url: defaults.transport_url,
    sealed_transport_url: defaults.sealed_transport_url,
    guest_transport_url: defaults.guest_transport_url,
    broker_management_url: defaults.broker_management_url,
  };
  return [...keys, ...Object.entries(urls).flatMap(([name, url]) => passwordsOf(name, url))];
}

function passwordsOf(name: string, url: Secret | undefined): NamedSecret[] {
  if (url === undefined) return [];
  const named = { name: `the password of ${name}` };
  if (name.endsWith('transport_url'))
    return parseTransportUrl(url, name).hosts.map(({ password }) => ({ ...named, secret: password }));
  const password = decodeURIComponent(URL.parse(url.reveal())?.password ?? '');
  return password === '' ? [] : [{ ...named, secret: new Secret(password) }];
}
