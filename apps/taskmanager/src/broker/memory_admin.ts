import type { MemoryBroker } from '@trove/crypto-rpc';
import type { BrokerAdmin } from './broker_admin.ts';

/** The administration of a broker inside this process, which has one vhost and no tags. */
export function createMemoryAdmin(broker: MemoryBroker): BrokerAdmin {
  const bus = broker.bus({ user: 'provisioner' });
  const { accounts } = broker;
  const accountOf = (user: string) => accounts.get(user) ?? { topics: {} };
  return {
    async readAccount(user) {
      const account = accounts.get(user);
      if (account === undefined) return undefined;
      const { secret, ...facts } = account;
      return { ...facts, hasPassword: secret !== undefined, tags: [], otherVhosts: [] };
    },
    async putUser(user, password) {
      const { secret: _before, ...rest } = accountOf(user);
      accounts.set(user, password === undefined ? rest : { ...rest, secret: password });
    },
    async putTopicPermission(user, exchange, permission) {
      const account = accountOf(user);
      accounts.set(user, { ...account, topics: { ...account.topics, [exchange]: permission } });
    },
    putLimits: async (user, limits) => accounts.set(user, { ...accountOf(user), ...limits }),
    putPermissions: async (user, permissions) => accounts.set(user, { ...accountOf(user), permissions }),
    leaveVhost: async () => {},
    deleteUser: async (user) => accounts.delete(user),
    hasQueue: async ({ queues = [] }) => queues.every(({ name }) => broker.hasQueue(name)),
    putQueue: (topology) => bus.declare(topology, { once: true }),
    deleteQueue: (name) => bus.deleteQueue(name),
    close: () => bus.close(),
  };
}
