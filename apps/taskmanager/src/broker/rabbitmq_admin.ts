import type { PlainFetch, Secret } from '@trove/common';
import { isGuestAccount, type Permissions, type TopicPermission, type Topology } from '@trove/crypto-rpc';
import type { AccountFacts, BrokerAdmin, BrokerFacts } from './broker_admin.ts';
import { createManagement, type Management } from './management.ts';
import { readMarks } from './read_marks.ts';

export interface RabbitmqAdminOptions {
  /** `https://user:password@host:port`, an administrator's. */
  readonly managementUrl: Secret;
  /** The vhost of sealed messages. */
  readonly vhost: string;
  readonly fetch: PlainFetch;
  readonly close?: () => Promise<void>;
}

const segment = encodeURIComponent;

/** The administration of RabbitMQ, through the HTTP API of its management plugin. */
export function createRabbitmqAdmin(options: RabbitmqAdminOptions): BrokerAdmin {
  const api = createManagement(options.managementUrl, options.fetch);
  const vhost = segment(options.vhost);
  return {
    readAccount: (user) => readAccount(api, options.vhost, user),
    readAll: (signal) => readAll(api, options.vhost, signal),
    readMarks: (signal) => readMarks(api, options.vhost, signal),
    async putUser(user, password) {
      // An empty hash is how the broker writes "no password".
      const secret = password === undefined ? { password_hash: '' } : { password: password.reveal() };
      await api.put(`users/${segment(user)}`, { ...secret, tags: '' });
    },
    putTopicPermission: (user, exchange, permission) =>
      api.put(`topic-permissions/${vhost}/${segment(user)}`, { exchange, ...permission }),
    async putLimits(user, { maxConnections, maxChannels }) {
      await api.put(`user-limits/${segment(user)}/max-connections`, { value: maxConnections });
      await api.put(`user-limits/${segment(user)}/max-channels`, { value: maxChannels });
    },
    putPermissions: (user, permissions) => api.put(`permissions/${vhost}/${segment(user)}`, { ...permissions }),
    leaveVhost: (user, other) => api.delete(`permissions/${segment(other)}/${segment(user)}`),
    deleteUser: (user) => api.delete(`users/${segment(user)}`),
    hasQueue: (topology) => hasQueue(api, vhost, topology),
    async putQueue({ exchanges = [], queues = [], bindings = [] }) {
      for (const { name, type, durable } of exchanges)
        await api.put(`exchanges/${vhost}/${segment(name)}`, { type, durable });
      for (const { name, durable, arguments: limits = {} } of queues)
        await api.put(`queues/${vhost}/${segment(name)}`, { durable, auto_delete: false, arguments: limits });
      for (const { exchange, queue, routingKey } of bindings)
        await api.post(bindingPath(vhost, exchange, queue), { routing_key: routingKey });
    },
    deleteQueue: (name) => api.delete(`queues/${vhost}/${segment(name)}`),
    close: async () => options.close?.(),
  };
}

interface UserAnswer {
  name: string;
  password_hash?: string;
  /** Text with commas before RabbitMQ 3.9. */
  tags?: string | string[];
}
interface VhostEntry extends Permissions {
  user: string;
  vhost: string;
}
interface TopicEntry extends TopicPermission {
  user: string;
  vhost: string;
  exchange: string;
}
interface LimitsEntry {
  user: string;
  value?: { 'max-connections'?: number; 'max-channels'?: number };
}

async function readAccount(api: Management, vhost: string, user: string): Promise<AccountFacts | undefined> {
  const path = `users/${segment(user)}`;
  const found = await api.get<UserAnswer>(path);
  if (found === undefined) return undefined;
  const permissions = (await api.get<VhostEntry[]>(`${path}/permissions`)) ?? [];
  const topics = (await api.get<TopicEntry[]>(`${path}/topic-permissions`)) ?? [];
  const limits = (await api.get<LimitsEntry[]>(`user-limits/${segment(user)}`)) ?? [];
  return factsOf(vhost, found, permissions, topics, limits);
}

/** Six lists. Asked one by one, the broker walks over all accounts for each. */
async function readAll(api: Management, vhost: string, signal?: AbortSignal): Promise<BrokerFacts> {
  const list = <Item>(path: string): Promise<readonly Item[]> => api.list<Item>(path, signal);
  const users = await list<UserAnswer>('users');
  const permissions = Map.groupBy(await list<VhostEntry>('permissions'), ({ user }) => user);
  const topics = Map.groupBy(await list<TopicEntry>('topic-permissions'), ({ user }) => user);
  const limits = Map.groupBy(await list<LimitsEntry>('user-limits'), ({ user }) => user);
  const queues = await list<{ name: string }>(`queues/${segment(vhost)}?disable_stats=true&columns=name`);
  const bindings = await list<BindingEntry>(`bindings/${segment(vhost)}?columns=source,destination,routing_key`);
  const queueNames = new Set(queues.map(({ name }) => name));
  const bound = new Set(bindings.map((entry) => boundName(entry.source, entry.destination, entry.routing_key)));
  return {
    accounts: new Map(
      users
        .filter(({ name }) => isGuestAccount(name))
        .map((user) => {
          const own = [
            permissions.get(user.name) ?? [],
            topics.get(user.name) ?? [],
            limits.get(user.name) ?? [],
          ] as const;
          return [user.name, factsOf(vhost, user, ...own)];
        }),
    ),
    queueNames,
    hasQueue: ({ queues: wanted = [], bindings: routes = [] }) =>
      wanted.every(({ name }) => queueNames.has(name)) &&
      routes.every(({ exchange, queue, routingKey }) => bound.has(boundName(exchange, queue, routingKey))),
  };
}

interface BindingEntry {
  source: string;
  destination: string;
  routing_key: string;
}

function boundName(exchange: string, queue: string, routingKey: string): string {
  return JSON.stringify([exchange, queue, routingKey]);
}

/** What the broker says of one account, from its entries in each of the lists. */
function factsOf(
  vhost: string,
  user: UserAnswer,
  permissions: readonly VhostEntry[],
  topics: readonly TopicEntry[],
  limits: readonly LimitsEntry[],
): AccountFacts {
  const { tags } = user;
  const own = permissions.find((entry) => entry.vhost === vhost);
  const { 'max-connections': maxConnections, 'max-channels': maxChannels } = limits[0]?.value ?? {};
  const ownTopics = topics.filter((entry) => entry.vhost === vhost);
  return {
    hasPassword: (user.password_hash ?? '') !== '',
    tags: typeof tags === 'string' ? tags.split(',').filter((tag) => tag !== '') : (tags ?? []),
    otherVhosts: permissions.map((entry) => entry.vhost).filter((name) => name !== vhost),
    topics: Object.fromEntries(ownTopics.map(({ exchange, write, read }) => [exchange, { write, read }])),
    ...(own !== undefined && { permissions: { configure: own.configure, write: own.write, read: own.read } }),
    ...(maxConnections !== undefined && { maxConnections }),
    ...(maxChannels !== undefined && { maxChannels }),
  };
}

async function hasQueue(api: Management, vhost: string, { queues = [], bindings = [] }: Topology): Promise<boolean> {
  for (const { name } of queues)
    if ((await api.get(`queues/${vhost}/${segment(name)}?columns=name`)) === undefined) return false;
  for (const { exchange, queue, routingKey } of bindings) {
    const there = await api.get<{ routing_key: string }[]>(bindingPath(vhost, exchange, queue));
    if (!(there ?? []).some((binding) => binding.routing_key === routingKey)) return false;
  }
  return true;
}

function bindingPath(vhost: string, exchange: string, queue: string): string {
  return `bindings/${vhost}/e/${segment(exchange)}/q/${segment(queue)}`;
}
