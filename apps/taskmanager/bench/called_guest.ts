// One guest, in a process of its own as an agent is: the broker in CALLED_URL, its id in CALLED_ID, its key in CALLED_KEY where it
// has one, its account in CALLED_ACCOUNT where it has one of its own. It tells its parent when it serves, and whenever it is asked
// what processor time it took, in microseconds; it ends with it.
import { Secret, silentLogger } from '@trove/common';
import { createAmqpBus, createGuestServer, heldInMemory } from '@trove/crypto-rpc';

const { CALLED_URL: url = '', CALLED_ID: instanceId = '', CALLED_KEY: key, CALLED_ACCOUNT: account } = process.env;
const bus = await createAmqpBus({
  transportUrl: new Secret(url),
  connectionName: 'bench guest',
  logger: silentLogger,
  waitConnected: true,
});
const refused = async (): Promise<never> => {
  throw new Error('not part of the benchmark');
};
const server = createGuestServer({
  bus,
  instanceId,
  ...(key !== undefined && { keys: heldInMemory({ version: 1, text: new Secret(key) }) }),
  ...(account !== undefined && { account }),
  controlExchange: 'trove',
  logger: silentLogger,
  handlers: {
    ...{ prepare: refused, get_outcome: refused, get_filesystem_stats: refused, create_database: refused },
    ...{ delete_database: refused, create_user: refused, list_users: refused, restart: refused },
    ...{ pre_upgrade: refused, post_upgrade: refused },
    rpc_ping: async () => true,
    list_databases: async () => [Array.from({ length: 5 }, (_, at) => ({ _name: `database${at}` })), null],
  },
});
await server.start();
process.once('disconnect', () => process.exit());
process.on('message', () => process.send?.(cpuMicroseconds()));
process.send?.('serves');

function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
