import { formatTransportUrl, parseTransportUrl, type Secret } from '@trove/common';

/**
 * A bus's URL as a guest gets it: `guest_transport_url`, where set, replaces hosts, ports and TLS, never the account and
 * never the vhost.
 */
export function guestTransport(url: Secret, optionName: string, seenByGuests: Secret | undefined): Secret {
  const bus = parseTransportUrl(url, optionName);
  if (seenByGuests === undefined) return formatTransportUrl(bus);
  const seen = parseTransportUrl(seenByGuests, 'guest_transport_url');
  const account = bus.hosts[0];
  const hosts = seen.hosts.map(({ host, port, user, password }) => ({
    host,
    port,
    user: account?.user ?? user,
    password: account?.password ?? password,
  }));
  return formatTransportUrl({ hosts, vhost: bus.vhost, tls: seen.tls });
}
