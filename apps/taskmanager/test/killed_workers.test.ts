import type { TestCatalog } from '@trove/catalog/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pointsOfRelease } from './kinds_of_release.ts';
import { aDelete, SCENARIOS } from './scenarios.ts';
import { deathsOf, live, peaceful, sweptCatalog } from './sweep.ts';

/** One boundary alone: `TROVE_KILL_AT='create_volume before_run, after createVolume'`. */
const ALONE = process.env['TROVE_KILL_AT'];
/** Each boundary in each scenario that comes to it, in place of the first. */
const ALL = process.env['TROVE_KILL_ALL'] !== undefined;
const [CLEAR_EACH, REBUILD_EACH] = [12, 20];
const MS_PER_SCENARIO = 600_000;
/** MariaDB differs in its locks and not in the steps: some boundaries of the longest ways. */
const ON_MARIADB = ['create', 'create_refused', 'upgrade', 'upgrade_refused', 'resize_flavor', 'rotate_key', 'delete'];
const DEATHS_ON_MARIADB = 5;

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await sweptCatalog();
});
afterAll(() => catalog.dispose());

/** What a scenario's life without a death came to, of all that have run. */
const reached = new Set<string>();

describe('a worker that dies before or after any call or transaction', () => {
  const killed = new Set<string>();

  test.each(SCENARIOS)('$name, ends as it should', { timeout: MS_PER_SCENARIO }, async (scenario) => {
    const { visits, points } = await peaceful(catalog, scenario);
    for (const point of points) reached.add(`${scenario.kind} ${point}`);
    const of = (death: string): string => `${scenario.kind} ${scenario.clear ?? 'sealed'} ${death}`;
    const fresh = deathsOf(visits).filter((name) => ALL || !killed.has(of(name)));
    // Guests in clear are waited for by the second, and a rebuild is an upgrade for the most part: of their boundaries some,
    // unless all are asked for.
    const each = scenario.forgotten ? REBUILD_EACH : scenario.clear === undefined ? 1 : CLEAR_EACH;
    const some = ALL ? fresh : fresh.filter((_, index) => index % each === 0);
    const deaths = ALONE === undefined ? some : [ALONE];
    for (const death of deaths) {
      killed.add(of(death));
      const again = `again: TROVE_KILL_AT='${death}' npx vitest run test/killed_workers.test.ts -t "${scenario.name},"`;
      await live(catalog, scenario, { again, diesAt: death });
    }
    if (ALONE !== undefined) expect(deathsOf(visits), 'it does not come there').toContain(ALONE);
  });

  test('has been at every step of every kind, on its way there and back', () => {
    const missed = pointsOfRelease().filter((point) => !reached.has(point));
    const why =
      'test/scenarios.ts has no line that comes to these steps: nobody dies there, and no journal is recorded';
    expect(missed, why).toEqual([]);
  });
});

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
