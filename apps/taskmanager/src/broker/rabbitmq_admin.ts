import type { PlainFetch, Secret } from '@trove/common';
import type { Topology } from '@trove/crypto-rpc';
import type { AccountFacts, BrokerAdmin } from './broker_admin.ts';
import { createManagement, type Management } from './management.ts';

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
  password_hash?: string;
  /** Text with commas before RabbitMQ 3.9. */
  tags?: string | string[];
}
type VhostEntry = { vhost: string; configure: string; write: string; read: string };
type TopicEntry = { vhost: string; exchange: string; write: string; read: string };
type LimitsEntry = { value?: { 'max-connections'?: number; 'max-channels'?: number } };

async function readAccount(api: Management, vhost: string, user: string): Promise<AccountFacts | undefined> {
  const path = `users/${segment(user)}`;
  const found = await api.get<UserAnswer>(path);
  if (found === undefined) return undefined;
  const vhosts = (await api.get<VhostEntry[]>(`${path}/permissions`)) ?? [];
  const topics = (await api.get<TopicEntry[]>(`${path}/topic-permissions`)) ?? [];
  const limits = (await api.get<LimitsEntry[]>(`user-limits/${segment(user)}`))?.[0]?.value ?? {};
  const own = vhosts.find((entry) => entry.vhost === vhost);
  const { 'max-connections': maxConnections, 'max-channels': maxChannels } = limits;
  const ownTopics = topics.filter((entry) => entry.vhost === vhost);
  return {
    hasPassword: (found.password_hash ?? '') !== '',
    tags: typeof found.tags === 'string' ? found.tags.split(',').filter((tag) => tag !== '') : (found.tags ?? []),
    otherVhosts: vhosts.map((entry) => entry.vhost).filter((name) => name !== vhost),
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
