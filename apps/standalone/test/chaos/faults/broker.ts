import { setTimeout as delay } from 'node:timers/promises';
import { between, oneOf } from '@trove/testkit';
import type { Proxies } from '../ground.ts';
import { type Fault, type Hands, killAndStart, type Proxy, SECOND, whileBroken } from './fault.ts';

const DEAD_LETTERS = 'trove.dead';
/** More than it holds. */
const FULL = 10_100;

/** Of the broker, of the ways to it, and of messages. */
export const BROKER_FAULTS: readonly Fault[] = [
  {
    name: 'every connection to the broker reset, none accepted for a while',
    seconds: 6,
    apply: ({ ground }) => whileBroken(brokerProxies(ground.proxies), 6, (proxy) => proxy.refuse()),
  },
  {
    name: 'kill -9 of the broker',
    seconds: 15,
    ownServers: true,
    apply: ({ ground }) => killAndStart(ground.own?.broker, 2),
  },
  {
    name: 'broker short of memory: publishers blocked',
    seconds: 75,
    ownServers: true,
    apply: (hands) => alarm(hands, 'memory'),
  },
  {
    name: 'broker short of disk: publishers blocked',
    seconds: 75,
    ownServers: true,
    apply: (hands) => alarm(hands, 'disk'),
  },
  {
    name: 'dead-letter queue full, while a conductor cannot do its work',
    seconds: 30,
    async apply({ ground, broker }) {
      await broker.fill(DEAD_LETTERS, DEAD_LETTERS, FULL);
      try {
        await whileBroken([ground.proxies.catalog.conductor], 6, (proxy) => proxy.refuse());
      } finally {
        // They are explained: we have put them there.
        await broker.purge(DEAD_LETTERS);
      }
    },
  },
  {
    name: 'broker cut off from the taskmanagers',
    seconds: 12,
    apply: ({ ground }) => whileBroken([ground.proxies.broker.taskmanager], 12, (proxy) => proxy.hang()),
  },
  {
    name: 'broker cut off from the guests',
    seconds: 12,
    apply: ({ ground }) => whileBroken([ground.proxies.broker.guests], 12, (proxy) => proxy.hang()),
  },
  {
    name: 'broker accepts nothing from anybody, connections stand',
    seconds: 8,
    apply: ({ ground }) => whileBroken(brokerProxies(ground.proxies), 8, (proxy) => proxy.hang()),
  },
  {
    name: 'half-closed connections to the broker',
    seconds: 1,
    apply: async ({ ground }) => ground.proxies.broker.taskmanager.halfClose(),
  },
  {
    name: 'a queue deleted under its consumer',
    seconds: 1,
    async apply({ broker, random }) {
      await broker.deleteQueue(oneOf(random, await broker.queueNames()));
    },
  },
  {
    name: 'broker set up anew, empty',
    seconds: 1,
    lasting: true,
    apply: ({ broker }) => broker.wipe(),
  },
  {
    name: "broker's management API gone",
    seconds: 8,
    apply: ({ ground }) => whileBroken([ground.proxies.management], 8, (proxy) => proxy.refuse()),
  },
  {
    name: 'waiting messages lost',
    seconds: 2,
    async apply({ broker, random }) {
      for (let left = 6; left > 0; left -= 1) {
        await broker.purge(oneOf(random, await broker.queueNames()));
        await delay(0.3 * SECOND);
      }
    },
  },
  {
    name: 'messages of the control plane sent again',
    seconds: 3,
    async apply({ broker }) {
      await broker.watch();
      await delay(2.5 * SECOND);
      await broker.repeat(60);
    },
  },
  {
    name: 'messages late and at different times',
    seconds: 12,
    apply: ({ ground, random }) =>
      whileBroken(brokerProxies(ground.proxies), 12, (proxy) => proxy.delay(between(random, 0, 700))),
  },
];

/** Ends with an error where nobody was blocked: then it was no fault. */
async function alarm({ ground, broker, random }: Hands, of: 'memory' | 'disk'): Promise<void> {
  await ground.own?.broker.alarm(of);
  try {
    let most = 0;
    for (let left = Math.ceil(10 + random() * 50); left > 0; left -= 2) {
      most = Math.max(most, await broker.blockedConnections());
      await delay(2 * SECOND);
    }
    if (most === 0) throw new Error('no connection was blocked');
  } finally {
    await ground.own?.broker.endAlarms();
  }
}

function brokerProxies({ broker }: Proxies): readonly Proxy[] {
  return Object.values(broker);
}
