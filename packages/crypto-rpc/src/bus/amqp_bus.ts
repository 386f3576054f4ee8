import { randomInt } from 'node:crypto';
import {
  type BusUrls,
  type Logger,
  parseTransportUrl,
  type Secret,
  systemClock,
  type TlsClient,
  TroveError,
} from '@trove/common';
import { openAmqpLink } from './amqp_link.ts';
import type { Bus } from './bus.ts';
import type { Link } from './link.ts';
import { ManagedBus } from './managed_bus.ts';
import type { AmqpBusOptions } from './options.ts';
import { enterWith } from './passwords.ts';

const DEFAULT_TIMEOUT_MS = 5000;

/**
 * A bus over RabbitMQ. Connects in the background, to one of the URL's hosts after the other, for as long as it takes.
 * Throws `CONFIG_INVALID` for a URL that cannot be read, or with TLS and no `tls`.
 */
export async function createAmqpBus(options: AmqpBusOptions): Promise<Bus> {
  const { hosts, vhost, tls: secure } = parseTransportUrl(options.transportUrl, 'transport_url');
  const { tls, passwords } = options;
  if (secure && tls === undefined)
    throw new TroveError('CONFIG_INVALID', 'the transport URL asks for TLS, and there is no authority to check it by.');
  let next = randomInt(hosts.length);
  const openLink = async (): Promise<Link> => {
    const host = hosts[next % hosts.length];
    next += 1;
    if (host === undefined) throw new TroveError('CONFIG_INVALID', 'The transport URL names no host.');
    const broker = { ...host, vhost, tls: secure ? tls : undefined };
    const enter = (password: Secret): Promise<Link> => openAmqpLink({ ...broker, password }, options.connectionName);
    return passwords === undefined ? enter(host.password) : enterWith(passwords, enter);
  };
  const bus = new ManagedBus({
    openLink,
    logger: options.logger,
    clock: options.clock ?? systemClock,
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
  });
  if (options.waitConnected !== true) return bus;
  try {
    await bus.connected();
    return bus;
  } catch (error) {
    await bus.close();
    throw error;
  }
}

/** The buses of a control plane's service. `legacyBus` is `sealedBus` where both URLs are the same. */
export interface AmqpBuses {
  readonly sealedBus: Bus;
  readonly legacyBus: Bus;
  close(): Promise<void>;
}

/** As `createAmqpBus`, for both URLs of a service; they connect in the background. */
export async function createAmqpBuses(
  urls: BusUrls,
  options: { readonly connectionName: string; readonly logger: Logger; readonly tls?: TlsClient | undefined },
): Promise<AmqpBuses> {
  const legacyBus = await createAmqpBus({ ...options, transportUrl: urls.clear });
  const isOne = urls.clear.reveal() === urls.sealed.reveal();
  const sealedBus = isOne ? legacyBus : await createAmqpBus({ ...options, transportUrl: urls.sealed });
  return {
    sealedBus,
    legacyBus,
    async close() {
      await legacyBus.close();
      if (!isOne) await sealedBus.close();
    },
  };
}
