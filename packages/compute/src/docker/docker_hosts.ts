import { isIP } from 'node:net';
import { TroveError } from '@trove/common';
import { hostDigits } from './ids.ts';
import { overlap, parseSubnet, type Subnet } from './subnet.ts';

export type Endpoint =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'tls'; readonly host: string; readonly port: number };

/** One engine, as `[compute_docker]` names it. */
export interface DockerHost {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly zone: string;
  readonly subnet: Subnet;
  /** Where databases are published; undefined: clients reach them by their addresses in `subnet`. */
  readonly published: { readonly address: string; readonly firstPort: number; readonly lastPort: number } | undefined;
}

/** The options that hosts are read from, by their names. */
export interface DockerHostsConfig {
  readonly host: Readonly<Record<string, string>>;
  readonly zone: Readonly<Record<string, string>>;
  readonly subnet: Readonly<Record<string, string>>;
  readonly public_address: Readonly<Record<string, string>>;
  readonly ports: string;
}

const DEFAULT_ZONE = 'nova';
const DEFAULT_SUBNET = '10.89.0.0/16';
const TLS_PORT = 2376;

/** The hosts in the order of their names. `CONFIG_INVALID` names the option that is wrong. */
export function dockerHosts(config: DockerHostsConfig): readonly DockerHost[] {
  const names = Object.keys(config.host).sort();
  if (names.length === 0) throw invalid('host', 'compute_driver = docker needs at least one host.<name>');
  for (const option of ['zone', 'subnet', 'public_address'] as const) {
    const stray = Object.keys(config[option]).find((name) => !names.includes(name));
    if (stray !== undefined) throw invalid(`${option}.${stray}`, `there is no host.${stray}`);
  }
  const hosts = names.map((name) => toHost(name, config));
  checkApart(hosts);
  return hosts;
}

function toHost(name: string, config: DockerHostsConfig): DockerHost {
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name))
    throw invalid(`host.${name}`, 'a name has letters of a-z, digits and hyphens, at most 63');
  const text = config.subnet[name] ?? DEFAULT_SUBNET;
  const subnet = parseSubnet(text);
  if (subnet === undefined) throw invalid(`subnet.${name}`, `"${text}" is no range such as ${DEFAULT_SUBNET}`);
  return {
    name,
    endpoint: endpointOf(name, config.host[name] ?? ''),
    zone: config.zone[name] ?? DEFAULT_ZONE,
    subnet,
    published: publishedOf(name, config),
  };
}

function endpointOf(name: string, url: string): Endpoint {
  const path = /^unix:\/\/(\/.+)$/.exec(url)?.[1];
  if (path !== undefined) return { kind: 'socket', path };
  const [, host, port] = /^tcp:\/\/([A-Za-z0-9.-]+)(?::(\d{1,5}))?$/.exec(url) ?? [];
  if (host === undefined || Number(port ?? TLS_PORT) > 65_535)
    throw invalid(`host.${name}`, 'unix:///path or tcp://host:port is expected');
  return { kind: 'tls', host, port: Number(port ?? TLS_PORT) };
}

function publishedOf(name: string, { public_address, ports }: DockerHostsConfig): DockerHost['published'] {
  const address = public_address[name];
  if (address === undefined) return undefined;
  if (isIP(address) !== 4) throw invalid(`public_address.${name}`, `"${address}" is no IPv4 address`);
  const [, first, last] = /^(\d{4,5})-(\d{4,5})$/.exec(ports) ?? [];
  const [firstPort, lastPort] = [Number(first), Number(last)];
  if (!(firstPort >= 1024 && firstPort <= lastPort && lastPort <= 65_535))
    throw invalid('ports', `"${ports}" is no range of ports such as 20000-29999`);
  return { address, firstPort, lastPort };
}

/** What two hosts must not share: the digits that begin their ids, and addresses that clients see. */
function checkApart(hosts: readonly DockerHost[]): void {
  for (const [index, host] of hosts.entries()) {
    for (const other of hosts.slice(index + 1)) {
      if (hostDigits(host.name) === hostDigits(other.name))
        throw invalid(`host.${other.name}`, `its ids would be taken for those of ${host.name}: give it another name`);
      if (host.published === undefined && other.published === undefined && overlap(host.subnet, other.subnet))
        throw invalid(
          `subnet.${other.name}`,
          `overlaps with that of ${host.name}: each host needs a range of its own, or a public_address`,
        );
    }
  }
}

function invalid(option: string, why: string): TroveError {
  return new TroveError('CONFIG_INVALID', `[compute_docker] ${option}: ${why}`);
}
