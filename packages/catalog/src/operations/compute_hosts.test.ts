import { afterEach, describe, expect, test } from 'vitest';
import { type TestCatalog, testCatalog } from '../testing.ts';
import { listHosts, readHost, recordHosts } from './compute_hosts.ts';

let catalog: TestCatalog;
afterEach(() => catalog.dispose());

describe.each(['mysql', 'sqlite'] as const)('hosts in %s', (dialect) => {
  test('are what was seen last; one that nobody has seen for a day is gone', async () => {
    catalog = await testCatalog(dialect);
    const { knex } = catalog;
    const one = { name: 'one', servers: 2, totalRam: 4096, usedRam: 1024 };
    const two = { name: 'two', servers: 0, totalRam: null, usedRam: null };
    await recordHosts(knex, [two, one]);
    await recordHosts(knex, [{ ...one, servers: 3 }]);
    expect(await listHosts(knex)).toEqual([{ ...one, servers: 3 }, two]);
    expect(await readHost(knex, 'two')).toEqual(two);
    expect(await readHost(knex, 'three')).toBeUndefined();
    const dayAgo = knex.raw('seen_at - ?', [25 * 3600 * 1_000_000]);
    await knex('compute_hosts').where({ name: 'two' }).update({ seen_at: dayAgo });
    await recordHosts(knex, [one]);
    expect(await listHosts(knex)).toEqual([one]);
  });
});
