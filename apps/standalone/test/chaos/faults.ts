import { setTimeout as delay } from 'node:timers/promises';
import type { Catalog } from '@trove/catalog';
import { type BreakableServer, between, oneOf, type Random } from '@trove/testkit';
import type { BrokerHands } from './broker_hands.ts';
import type { Ground, Proxies } from './ground.ts';
import { guestPids, signalGuest } from './guests.ts';

export interface Hands {
  readonly ground: Ground;
  readonly broker: BrokerHands;
  readonly random: Random;
}

/** Breaks something, and mends it before it resolves. */
export interface Fault {
  readonly name: string;
  /** Seconds that it takes at most. */
  readonly seconds: number;
  /** What it leaves is made right bit by bit, over more than a lease. */
  readonly lasting?: true;
  /** Takes a server away, which has to be the run's own. */
  readonly ownServers?: true;
  apply(hands: Hands): Promise<void>;
}

const SECOND = 1000;
/** A task's lease is 30 s. */
const PAST_A_LEASE_S = 34;
const HOUR_MS = 3_600_000;

export const FAULTS: readonly Fault[] = [
  {
    name: 'kill -9 of a taskmanager',
    seconds: 1,
    apply: async ({ ground, random }) => oneOf(random, ground.servicesOf('taskmanager')).kill(),
  },
  {
    name: 'taskmanager stopped past its leases, and continued',
    seconds: PAST_A_LEASE_S,
    async apply({ ground, random }) {
      const taskmanager = oneOf(random, ground.servicesOf('taskmanager'));
      taskmanager.pause();
      await delay(PAST_A_LEASE_S * SECOND);
      taskmanager.resume();
    },
  },
  {
    name: 'kill -9 of all taskmanagers',
    seconds: 1,
    apply: async ({ ground }) => ground.servicesOf('taskmanager').forEach((service) => service.kill()),
  },
  {
    name: 'kill -9 of a conductor',
    seconds: 1,
    apply: async ({ ground, random }) => oneOf(random, ground.servicesOf('conductor')).kill(),
  },
  {
    name: 'kill -9 of an api',
    seconds: 1,
    apply: async ({ ground, random }) => oneOf(random, ground.servicesOf('api')).kill(),
  },
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
    name: 'kill -9 of MariaDB in the middle of transactions',
    seconds: 10,
    ownServers: true,
    apply: ({ ground }) => killAndStart(ground.own?.database, 2),
  },
  {
    name: 'MariaDB stopped for a while, connections stand',
    seconds: 12,
    ownServers: true,
    async apply({ ground }) {
      ground.own?.database.freeze();
      await delay(12 * SECOND);
      ground.own?.database.thaw();
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
    name: 'all guests reconnect at once',
    seconds: 1,
    apply: async ({ ground }) => ground.proxies.broker.guests.cut(),
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
    name: 'catalog connections reset in the middle of what they say',
    seconds: 10,
    apply: ({ ground, random }) =>
      whileBroken(catalogProxies(ground.proxies), 10, (proxy) => proxy.cutEvery(between(random, 2000, 60_000))),
  },
  {
    name: 'catalog connections killed by the server',
    seconds: 1,
    apply: ({ ground }) => killConnections(ground.catalog),
  },
  {
    name: 'catalog gone for a while',
    seconds: 8,
    apply: ({ ground }) => whileBroken(catalogProxies(ground.proxies), 8, (proxy) => proxy.refuse()),
  },
  {
    name: 'rows locked the other way round, for seconds',
    seconds: 6,
    apply: ({ ground, random }) => lockRows(ground.catalog, random, 3),
  },
  {
    name: 'compute fails before and after it has done what was asked, or answers much too late',
    seconds: 15,
    async apply({ ground }) {
      ground.trouble({ compute: 0.3 });
      await delay(15 * SECOND);
      ground.trouble({});
    },
  },
  {
    name: 'kill -9 of guests in whatever they do',
    seconds: 6,
    async apply({ ground, random }) {
      for (let left = 4; left > 0; left -= 1) {
        const pids = guestPids(ground.folder);
        if (pids.length > 0) signalGuest(oneOf(random, pids), 'SIGKILL');
        await delay(1.5 * SECOND);
      }
    },
  },
  {
    name: 'a guest stopped for a while',
    seconds: 10,
    async apply({ ground, random }) {
      const pids = guestPids(ground.folder);
      if (pids.length === 0) return;
      const pid = oneOf(random, pids);
      signalGuest(pid, 'SIGSTOP');
      await delay(10 * SECOND);
      signalGuest(pid, 'SIGCONT');
    },
  },
  {
    name: 'clocks of guests two hours off',
    seconds: 20,
    async apply({ ground, random }) {
      ground.trouble({ guestClockMs: oneOf(random, [2 * HOUR_MS, -2 * HOUR_MS]) });
      for (const pid of guestPids(ground.folder).slice(0, 3)) signalGuest(pid, 'SIGKILL');
      await delay(20 * SECOND);
      ground.trouble({});
    },
  },
  {
    name: 'clock of a taskmanager five minutes off',
    seconds: 20,
    async apply({ ground, random }) {
      const taskmanager = oneOf(random, ground.servicesOf('taskmanager'));
      taskmanager.kill(oneOf(random, [HOUR_MS / 12, -HOUR_MS / 12]));
      await delay(20 * SECOND);
      taskmanager.kill();
    },
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

/** Of the list of twenty, those that are not made here. */
export const NOT_MADE: readonly string[] = [
  'memory or disk alarm of the broker: needs its command line on its host; publishers that wait are made by connections that stand and pass nothing',
  'failover of MySQL with the last second lost, catalog restored from a backup: both lose acknowledged requests by definition',
  'guest restored from a snapshot, guest cloned: tried by name in test/attacks',
  'keys that rotate, a wrong key on one taskmanager: tried by name with the rotation',
  'disk full: needs a file system of its own',
];

type Proxy = Proxies['management'];

function brokerProxies({ broker }: Proxies): readonly Proxy[] {
  return Object.values(broker);
}

function catalogProxies({ catalog }: Proxies): readonly Proxy[] {
  return Object.values(catalog);
}

async function whileBroken(proxies: readonly Proxy[], seconds: number, breakIt: (proxy: Proxy) => void): Promise<void> {
  for (const proxy of proxies) breakIt(proxy);
  await delay(seconds * SECOND);
  for (const proxy of proxies) proxy.resume();
}

async function killAndStart(server: BreakableServer | undefined, seconds: number): Promise<void> {
  await server?.kill();
  await delay(seconds * SECOND);
  await server?.start();
}

/** All but the run's own: what is in a transaction is rolled back. */
async function killConnections({ knex }: Catalog): Promise<void> {
  const [rows] = (await knex.raw(
    'SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()',
  )) as [{ id: number }[]];
  for (const { id } of rows) await knex.raw(`KILL CONNECTION ${Number(id)}`).catch(() => undefined);
}

/** Against the order in which everybody locks: whoever waits for one while it holds another is in a deadlock. */
async function lockRows({ knex }: Catalog, random: Random, turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    await knex
      .transaction(async (tx) => {
        await tx('tasks').forUpdate().limit(20).select('id');
        await delay((0.3 + random()) * SECOND);
        await tx('instances').forUpdate().limit(20).select('id');
        await tx('quota_usages').forUpdate().limit(5).select('id');
        await delay(0.5 * SECOND);
      })
      .catch(() => undefined);
  }
}
