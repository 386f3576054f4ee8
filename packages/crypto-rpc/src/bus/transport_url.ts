import { parseTransportUrl, type Secret } from '@trove/common';

/** One broker host, as amqplib takes it. */
export interface BrokerHost {
  readonly protocol: 'amqp' | 'amqps';
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
}

/** The hosts of a transport URL. Throws `CONFIG_INVALID`; its text holds nothing of the URL, which has a password in it. */
export function brokerHosts(url: Secret): readonly BrokerHost[] {
  const { hosts, vhost, tls } = parseTransportUrl(url, 'the transport URL');
  return hosts.map(({ host, port, user, password }) => ({
    protocol: tls ? 'amqps' : 'amqp',
    hostname: host,
    port,
    username: user,
    password: password.reveal(),
    vhost,
  }));
}
