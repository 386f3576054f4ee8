import {
  createTlsFetch,
  type Logger,
  loadTlsClient,
  parseTransportUrl,
  type Secret,
  type TlsFetch,
  TroveError,
} from '@trove/common';
import type { MemoryBroker } from '@trove/crypto-rpc';
import { type BrokerAccounts, createBrokerAccounts } from './broker_accounts.ts';
import { createMemoryAdmin } from './memory_admin.ts';
import { createRabbitmqAdmin } from './rabbitmq_admin.ts';

export interface BrokerAccountsSettings {
  readonly broker_management_url: Secret | undefined;
  readonly broker_management_ca: string | undefined;
}

const URL_OPTION = '[DEFAULT] broker_management_url';
const CA_OPTION = '[DEFAULT] broker_management_ca';

/** The accounts that configuration asks for; undefined, with a warning, where guests share one. Throws `CONFIG_INVALID`. */
export async function openBrokerAccounts(
  settings: BrokerAccountsSettings,
  sealedTransportUrl: Secret,
  logger: Logger,
  deploymentId: () => Promise<string>,
): Promise<BrokerAccounts | undefined> {
  const managementUrl = settings.broker_management_url;
  if (managementUrl === undefined) {
    logger.warn(
      "broker_management_url is not set: sealed guests share sealed_transport_url's account, and the broker vouches for none of them",
    );
    return undefined;
  }
  const { vhost } = parseTransportUrl(sealedTransportUrl, 'sealed_transport_url');
  const common = { managementUrl, vhost };
  const admin = createRabbitmqAdmin({ ...common, ...(await managementFetch(managementUrl, settings)) });
  return createBrokerAccounts(admin, deploymentId);
}

/** How the management API is spoken to: as it is, or with TLS as `broker_management_ca` says. Throws `CONFIG_INVALID`. */
export async function managementFetch(
  managementUrl: Secret,
  { broker_management_ca: ca }: Pick<BrokerAccountsSettings, 'broker_management_ca'>,
): Promise<Pick<TlsFetch, 'fetch' | 'close'>> {
  if (protocolOf(managementUrl) === 'http:') return { fetch, close: async () => {} };
  const names = { ca: CA_OPTION, cert: CA_OPTION, key: CA_OPTION };
  return await createTlsFetch(loadTlsClient(ca === undefined ? {} : { ca }, names), 'BUS_UNAVAILABLE');
}

/** Accounts on a broker inside this process: always, and without credentials. */
export function memoryBrokerAccounts(broker: MemoryBroker, deploymentId: () => Promise<string>): BrokerAccounts {
  return createBrokerAccounts(createMemoryAdmin(broker), deploymentId);
}

function protocolOf(url: Secret): 'http:' | 'https:' {
  const { protocol, username } = parsed(url);
  if ((protocol !== 'http:' && protocol !== 'https:') || username === '')
    throw new TroveError('CONFIG_INVALID', `${URL_OPTION} is not of the form https://user:password@host:port`);
  return protocol;
}

function parsed(url: Secret): URL {
  try {
    return new URL(url.reveal());
  } catch {
    // The parser's own error would show the password.
    throw new TroveError('CONFIG_INVALID', `${URL_OPTION} is not a URL`);
  }
}
