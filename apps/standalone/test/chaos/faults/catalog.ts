import { setTimeout as delay } from 'node:timers/promises';
import type { Catalog } from '@trove/catalog';
import { between, type Random } from '@trove/testkit';
import type { Proxies } from '../ground.ts';
import { type Fault, killAndStart, type Proxy, SECOND, whileBroken } from './fault.ts';

/** Of the catalog's server, of the ways to it, and of its locks. */
export const CATALOG_FAULTS: readonly Fault[] = [
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
];

function catalogProxies({ catalog }: Proxies): readonly Proxy[] {
  return Object.values(catalog);
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
