import { Secret } from '../secret.ts';
import { formatTransportUrl, parseTransportUrl } from './transport_url.ts';

/** Who connects to a bus. */
export interface TransportAccount {
  readonly user: string;
  readonly password: Secret;
}

const ACCOUNT = /^[a-z][a-z0-9+]*:\/\/([^:/@]+):([^:/@]+)@/;
const IN_MEMORY = 'memory:';

/** The account of a bus's URL, its first host's; undefined where it has none. `memory://` has one too. */
export function accountOfUrl(url: Secret): TransportAccount | undefined {
  const [, user, password] = ACCOUNT.exec(url.reveal()) ?? [];
  if (user === undefined || password === undefined) return undefined;
  return { user: decodeURIComponent(user), password: new Secret(decodeURIComponent(password)) };
}

/** The same bus for another account, which every host then has. Throws `CONFIG_INVALID` as `parseTransportUrl` does. */
export function urlWithAccount(url: Secret, { user, password }: TransportAccount, optionName: string): Secret {
  if (url.reveal().startsWith(IN_MEMORY)) return new Secret(`${IN_MEMORY}//${user}:${password.reveal()}@`);
  const parsed = parseTransportUrl(url, optionName);
  return formatTransportUrl({ ...parsed, hosts: parsed.hosts.map((host) => ({ ...host, user, password })) });
}
