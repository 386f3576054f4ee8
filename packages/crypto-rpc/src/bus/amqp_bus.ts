import { randomInt } from 'node:crypto';
import { systemClock, TroveError } from '@trove/common';
import { openAmqpLink } from './amqp_link.ts';
import type { Bus } from './bus.ts';
import type { Link } from './link.ts';
import { ManagedBus } from './managed_bus.ts';
import type { AmqpBusOptions } from './options.ts';
import { brokerHosts } from './transport_url.ts';

const DEFAULT_TIMEOUT_MS = 5000;

/**
 * A bus over RabbitMQ. Connects in the background, to one of the URL's hosts after the other, for as long as it takes.
 * Throws `CONFIG_INVALID` for a URL that cannot be read, or with TLS and no `tls`.
 */
export async function createAmqpBus(options: AmqpBusOptions): Promise<Bus> {
  const hosts = brokerHosts(options.transportUrl);
  if (hosts.some(({ protocol }) => protocol === 'amqps') && options.tls === undefined)
    throw new TroveError('CONFIG_INVALID', 'the transport URL asks for TLS, and there is no authority to check it by.');
  let next = randomInt(hosts.length);
  const openLink = async (): Promise<Link> => {
    const host = hosts[next % hosts.length];
    next += 1;
    if (host === undefined) throw new TroveError('CONFIG_INVALID', 'The transport URL names no host.');
    return openAmqpLink(host, options.connectionName, options.tls);
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
