import { TroveError } from '../errors.ts';
import { Secret } from '../secret.ts';

export interface TransportHost {
  /** Without brackets where it is an IPv6 address. */
  host: string;
  port: number;
  user: string;
  password: Secret;
}

/** A parsed `transport_url`. */
export interface TransportUrl {
  hosts: readonly TransportHost[];
  /** `/` where the URL has no path, `/` or `//`. */
  vhost: string;
  tls: boolean;
}

const SCHEMES = new Map([
  ['rabbit', false],
  ['rabbit+ssl', true],
  ['rabbits', true],
  ['amqp', false],
  ['amqps', true],
  ['kombu', false],
]);
const SHAPE = /^([a-z][a-z0-9+]*):\/\/([^/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/i;

/**
 * Parses `rabbit://user:password@host:port[,user:password@host:port…]/vhost`. A host without an account has that of the
 * host before it; without any it is guest:guest, as the broker's default. `?ssl=1` means TLS too. Throws `TroveError`
 * `CONFIG_INVALID` naming `optionName`; no part of the URL stands in the message.
 * @param force TLS whatever the URL says, for `[oslo_messaging_rabbit] ssl`
 */
export function parseTransportUrl(
  url: Secret,
  optionName: string,
  force: { readonly tls?: boolean } = {},
): TransportUrl {
  const match = SHAPE.exec(url.reveal().trim());
  const [, scheme = '', authorities = '', path = '', query = ''] = match ?? [];
  const tls = SCHEMES.get(scheme.toLowerCase());
  if (!match || tls === undefined)
    throw invalid(optionName, 'is not of the form rabbit://user:password@host:port/vhost');
  const hosts: TransportHost[] = [];
  const secure = force.tls === true || tls || /(^|&)ssl=(1|true|yes|on)(&|$)/i.test(query);
  for (const authority of authorities.split(',')) hosts.push(parseHost(authority, hosts.at(-1), secure, optionName));
  return { hosts, vhost: vhostOf(path, optionName), tls: secure };
}

/** A parsed URL as `transport_url` text again, for a file that is given to a guest. */
export function formatTransportUrl(url: TransportUrl): Secret {
  const hosts = url.hosts.map((host) => {
    const name = host.host.includes(':') ? `[${host.host}]` : host.host;
    return `${encodeURIComponent(host.user)}:${encodeURIComponent(host.password.reveal())}@${name}:${host.port}`;
  });
  return new Secret(
    `${url.tls ? 'rabbit+ssl' : 'rabbit'}://${hosts.join(',')}/${url.vhost === '/' ? '/' : encodeURIComponent(url.vhost)}`,
  );
}

function parseHost(
  authority: string,
  before: TransportHost | undefined,
  tls: boolean,
  optionName: string,
): TransportHost {
  const at = authority.lastIndexOf('@');
  const [user, password] = at < 0 ? [undefined, undefined] : splitOnce(authority.slice(0, at));
  const address = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::(\d+))?$/i.exec(authority.slice(at + 1));
  const host = address?.[1] ?? address?.[2];
  if (host === undefined) throw invalid(optionName, 'has a host that cannot be read');
  const port = address?.[3] === undefined ? (tls ? 5671 : 5672) : Number(address[3]);
  if (port < 1 || port > 65535) throw invalid(optionName, 'has a port outside 1 to 65535');
  return {
    host,
    port,
    user: user === undefined ? (before?.user ?? 'guest') : decoded(user, optionName),
    password:
      user === undefined ? (before?.password ?? new Secret('guest')) : new Secret(decoded(password ?? '', optionName)),
  };
}

function splitOnce(account: string): [string, string] {
  const colon = account.indexOf(':');
  return colon < 0 ? [account, ''] : [account.slice(0, colon), account.slice(colon + 1)];
}

function vhostOf(path: string, optionName: string): string {
  const vhost = decoded(path, optionName);
  return vhost === '' ? '/' : vhost;
}

function decoded(text: string, optionName: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(optionName, 'has a "%" that is not followed by two hexadecimal digits');
  }
}

function invalid(optionName: string, why: string): TroveError {
  return new TroveError('CONFIG_INVALID', `${optionName} ${why}`);
}
