import { randomBytes } from 'node:crypto';
import { newUuid, Secret } from '@trove/common';
import { testBroker } from '@trove/testkit';
import { type Measurement, measure } from '@trove/testkit/bench';
import { createBrokerAccounts } from '../src/broker/broker_accounts.ts';
import { createRabbitmqAdmin } from '../src/broker/rabbitmq_admin.ts';
import { forEachOf } from '../src/rounds/round.ts';

const DEFAULT_GUESTS = 1000;
const AT_ONCE = 16;
/** Checked and removed one by one; the others go with the vhost. */
const SAMPLE = 200;

/**
 * Broker accounts made, checked and removed through the management API. `BENCH_GUESTS=10000` for as many guests; unset, a
 * tenth of that, so that the run stays under two minutes on a small machine. Reading back costs the broker a walk over all accounts.
 */
export async function benchAccounts(): Promise<Measurement[]> {
  const guests = Number(process.env['BENCH_GUESTS'] ?? DEFAULT_GUESTS);
  return [
    await measure({
      name: 'broker accounts of guests',
      conditions: `${guests} guests (BENCH_GUESTS), ${AT_ONCE} at a time, account, walls, limits and queue each; broker memory is that of its process`,
      rounds: 1,
      warmUp: false,
      contenders: [{ name: `${guests} guests`, run: () => provision(guests) }],
    }),
  ];
}

async function provision(guests: number): Promise<Record<string, number>> {
  const broker = await testBroker();
  const accounts = createBrokerAccounts(
    createRabbitmqAdmin({ managementUrl: new Secret(broker.managementUrl), vhost: broker.vhost, fetch }),
  );
  const ids = Array.from({ length: guests }, () => newUuid());
  try {
    const before = await brokerMemory(broker.managementUrl);
    const made = await seconds(() =>
      forEachOf(ids, AT_ONCE, (id) => accounts.make(id, new Secret(randomBytes(32).toString('base64url')))),
    );
    const after = await brokerMemory(broker.managementUrl);
    const sample = ids.slice(0, SAMPLE);
    const checked = await seconds(() =>
      forEachOf(sample, AT_ONCE, async (id) => {
        const repaired = await accounts.repair(id, async () => undefined);
        if (repaired.length > 0) throw new Error('an account was not as it was made');
      }),
    );
    const removed = await seconds(() => forEachOf(sample, AT_ONCE, (id) => accounts.remove(id)));
    return {
      'made in s': made,
      'made/s': guests / made,
      'checked/s': sample.length / checked,
      'removed/s': sample.length / removed,
      'broker MiB before': before / 2 ** 20,
      'broker MiB after': after / 2 ** 20,
      'KiB per guest': (after - before) / guests / 2 ** 10,
    };
  } finally {
    await broker.dispose();
  }
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
