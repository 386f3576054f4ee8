import type { TestCatalog } from '@trove/catalog/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { killedAtEach, MS_PER_SCENARIO, UPGRADES } from './killed_at_each.ts';
import { aDelete, SCENARIOS } from './scenarios.ts';
import { deathsOf, live, peaceful, sweptCatalog } from './sweep.ts';

/** MariaDB differs in its locks and not in the steps: some boundaries of the longest ways. */
const ON_MARIADB = ['create', 'create_refused', 'upgrade', 'upgrade_refused', 'resize_flavor', 'rotate_key', 'delete'];
const DEATHS_ON_MARIADB = 5;

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await sweptCatalog();
});
afterAll(() => catalog.dispose());

killedAtEach('killed_workers.test.ts', (kind) => !UPGRADES.has(kind));

describe('a delete that comes while an instance is built', () => {
  const create = SCENARIOS.find(({ name }) => name === 'create');
  if (create === undefined) throw new Error('no scenario of a create');

  test('at any step leaves nothing, also where the worker dies with it', { timeout: MS_PER_SCENARIO }, async () => {
    const { points } = await peaceful(catalog, create);
    for (const at of points) {
      // A guest that is healthy at once has ended the build by then, another has not.
      if (at === 'await_healthy before_run') continue;
      const deleted = { ...create, leaves: 'deleted', meanwhile: { at, act: aDelete } } as const;
      const isBuilt = at === 'end before_end';
      // Where the worker dies before it could write that, it is not known to be healthy.
      const isHealthy = at === 'await_healthy after_run';
      const ends = isBuilt || isHealthy ? 'done' : 'cancelled';
      await live(catalog, { ...deleted, ends }, { again: `a delete at ${at}` });
      const again = `a delete at ${at}, and a death`;
      const endsThen = isBuilt ? 'done' : 'cancelled';
      await live(catalog, { ...deleted, ends: endsThen }, { again, diesAt: (where) => where === at });
    }
    expect(points.size).toBeGreaterThanOrEqual(27);
  });
});

describe('on MariaDB a worker that dies', () => {
  let mariadb: TestCatalog;
  beforeAll(async () => {
    mariadb = await sweptCatalog('mysql');
  });
  afterAll(() => mariadb.dispose());

  test.each(SCENARIOS.filter(({ name }) => ON_MARIADB.includes(name)))(
    'here and there, %#: $name, ends as it should',
    { timeout: MS_PER_SCENARIO },
    async (scenario) => {
      const deaths = deathsOf((await peaceful(mariadb, scenario)).visits);
      const apart = Math.ceil(deaths.length / DEATHS_ON_MARIADB);
      for (const death of deaths.filter((_, index) => index % apart === 0))
        await live(mariadb, scenario, { again: `${scenario.name}, at ${death}, on MariaDB`, diesAt: death });
    },
  );
});
