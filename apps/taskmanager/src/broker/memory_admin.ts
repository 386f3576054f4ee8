import { TroveError } from '@trove/common';
import { deploymentsIn, isGuestAccount, type MemoryBroker, type Topology } from '@trove/crypto-rpc';
import type { AccountFacts, BrokerAdmin } from './broker_admin.ts';

/** The administration of a broker inside this process, which has one vhost and no tags. */
export function createMemoryAdmin(broker: MemoryBroker): BrokerAdmin {
  const bus = broker.bus({ user: 'provisioner' });
  const { accounts } = broker;
  const need = (user: string) => {
    const account = accounts.get(user);
    if (account === undefined) throw new TroveError('RPC_REFUSED', 'The broker has no such account.');
    return account;
  };
  const factsOf = (user: string): AccountFacts => {
    const { secret, ...facts } = need(user);
    return { ...facts, hasPassword: secret !== undefined, tags: [], otherVhosts: [] };
  };
  const hasQueue = ({ queues = [] }: Topology): boolean => queues.every(({ name }) => broker.hasQueue(name));
  return {
    readAccount: async (user) => (accounts.get(user) === undefined ? undefined : factsOf(user)),
    readAll: async () => ({
      accounts: new Map(
        accounts
          .names()
          .filter(isGuestAccount)
          .map((user) => [user, factsOf(user)]),
      ),
      queueNames: new Set(broker.queueNames()),
      hasQueue,
    }),
    readMarks: async () =>
      new Map(
        accounts
          .names()
          .filter(isGuestAccount)
          .map((user) => [user, deploymentsIn(Object.keys(need(user).topics))] as const)
          .filter(([, deployments]) => deployments.length > 0),
      ),
    async putUser(user, password) {
      const { secret: _before, ...rest } = accounts.get(user) ?? { topics: {} };
      accounts.set(user, password === undefined ? rest : { ...rest, secret: password });
    },
    async putTopicPermission(user, exchange, permission) {
      const account = need(user);
      accounts.set(user, { ...account, topics: { ...account.topics, [exchange]: permission } });
    },
    putLimits: async (user, limits) => accounts.set(user, { ...need(user), ...limits }),
    putPermissions: async (user, permissions) => accounts.set(user, { ...need(user), permissions }),
    leaveVhost: async () => {},
    deleteUser: async (user) => accounts.delete(user),
    hasQueue: async (topology) => hasQueue(topology),
    putQueue: (topology) => bus.declare(topology, { once: true }),
    deleteQueue: (name) => bus.deleteQueue(name),
    close: () => bus.close(),
  };
}
