import { randomBytes } from 'node:crypto';
import { newUuid, Secret } from '@trove/common';
import { largeBroker, testBroker } from '@trove/testkit';
import { type Measurement, measure } from '@trove/testkit/bench';
import { type BrokerAccounts, createBrokerAccounts } from '../src/broker/broker_accounts.ts';
import { createRabbitmqAdmin } from '../src/broker/rabbitmq_admin.ts';
import { forEachOf } from '../src/rounds/round.ts';

const GUESTS = [1000, 10_000];
const AT_ONCE = 16;
/** Made, read back and removed one by one beside all the others, which go with the broker. */
const SAMPLE = 50;
const MEMORY = '3GB';

/**
 * A broker of its own that has lost all accounts gets them back as the taskmanagers' round gives them back, all read back at
 * once; and one account more, as a create makes it, beside so many others: what is read back of one alone costs the broker a
 * walk over all.
 */
export async function benchAccounts(): Promise<Measurement[]> {
  return [
    await measure({
      name: 'broker accounts of guests',
      conditions: `a broker of its own, ${MEMORY} of memory at most; ${AT_ONCE} guests at a time, account, walls, limits and queue each; one by one: ${SAMPLE} more`,
      rounds: 1,
      warmUp: false,
      contenders: GUESTS.map((guests) => ({ name: `${guests} guests`, run: () => provision(guests) })),
    }),
  ];
}

async function provision(guests: number): Promise<Record<string, number>> {
  const server = await largeBroker(MEMORY);
  try {
    const broker = await testBroker({ TROVE_TEST_AMQP_URL: server.url });
    const admin = createRabbitmqAdmin({
      managementUrl: new Secret(broker.managementUrl),
      vhost: broker.vhost,
      fetch,
    });
    const accounts = createBrokerAccounts(admin, async () => 'bench');
    const ids = Array.from({ length: guests }, () => newUuid());
    const before = await brokerMemory(broker.managementUrl);
    const restored = await seconds(() => forEachOf(ids, AT_ONCE, (id) => restore(accounts, id)));
    const after = await brokerMemory(broker.managementUrl);
    const surveyed = await seconds(() => survey(accounts, ids));
    const more = Array.from({ length: SAMPLE }, () => newUuid());
    const made = await seconds(() => forEachOf(more, 1, (id) => accounts.make(id, newPassword())));
    const removed = await seconds(() => forEachOf(more, 1, (id) => accounts.remove(id)));
    return {
      'restored in s': restored,
      'restored/s': guests / restored,
      'all read back in s': surveyed,
      'one made in ms': (made * 1000) / more.length,
      'one removed in ms': (removed * 1000) / more.length,
      'broker MiB before': before / 2 ** 20,
      'broker MiB after': after / 2 ** 20,
      'KiB per guest': (after - before) / guests / 2 ** 10,
    };
  } finally {
    await server.dispose();
  }
}

async function survey(accounts: BrokerAccounts, ids: readonly string[]): Promise<void> {
  const { isRight, instanceIds } = await accounts.survey();
  if (instanceIds.length !== ids.length || !ids.every(isRight)) throw new Error('an account was not as it was made');
}

async function restore(accounts: BrokerAccounts, id: string): Promise<void> {
  const repaired = await accounts.repair(id, async () => newPassword());
  if (!repaired.includes('password')) throw new Error('the account was there already');
}

function newPassword(): Secret {
  return new Secret(randomBytes(32).toString('base64url'));
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** As the broker reports it, once it has stood still for a statistics interval; bytes. */
async function brokerMemory(managementUrl: string): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 6000));
  const { origin, username, password } = new URL(managementUrl);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const response = await fetch(`${origin}/api/nodes`, { headers: { authorization } });
  const nodes = (await response.json()) as { mem_used: number }[];
  return nodes[0]?.mem_used ?? Number.NaN;
}
