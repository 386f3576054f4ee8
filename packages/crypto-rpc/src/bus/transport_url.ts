import { TroveError } from '@trove/common';

/** One broker host, as amqplib takes it. */
export interface BrokerHost {
  readonly protocol: 'amqp' | 'amqps';
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
}

const SCHEME = /^(rabbit|amqp|rabbits|amqps):\/\//;

/**
 * The hosts of `rabbit://user:pass@host:port[,user:pass@host:port…]/vhost`; no path, `/` and `//` all mean the vhost `/`.
 * Throws `CONFIG_INVALID`; its text holds nothing of the URL, which has a password in it.
 */
export function parseTransportUrl(url: string): readonly BrokerHost[] {
  const scheme = SCHEME.exec(url)?.[1];
  if (scheme === undefined) throw invalid('it must start with rabbit://, amqp:// or amqps://');
  const rest = (url.slice(scheme.length + 3).split('?')[0] ?? '').trim();
  const slash = rest.indexOf('/');
  const hosts = slash === -1 ? rest : rest.slice(0, slash);
  const path = slash === -1 ? '' : rest.slice(slash + 1);
  const vhost = path === '' || path === '/' ? '/' : decode(path);
  const protocol = scheme === 'amqps' || scheme === 'rabbits' ? 'amqps' : 'amqp';
  return hosts.split(',').map((host) => parseHost(host, protocol, vhost));
}

function parseHost(text: string, protocol: BrokerHost['protocol'], vhost: string): BrokerHost {
  const at = text.lastIndexOf('@');
  const [user = 'guest', ...password] = at === -1 ? [] : text.slice(0, at).split(':');
  const host = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::([0-9]{1,5}))?$/.exec(text.slice(at + 1));
  if (host === null) throw invalid('a host must be host or host:port');
  return {
    protocol,
    hostname: (host[1] ?? '').replace(/^\[|\]$/g, ''),
    port: host[2] === undefined ? (protocol === 'amqps' ? 5671 : 5672) : Number(host[2]),
    username: decode(user),
    password: at === -1 ? 'guest' : decode(password.join(':')),
    vhost,
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid('a % must be followed by two hex digits');
  }
}

function invalid(why: string): TroveError {
  return new TroveError('CONFIG_INVALID', `The transport URL cannot be read: ${why}.`);
}
