import type { TestCatalog } from '@trove/catalog/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pointsOfRelease } from './kinds_of_release.ts';
import { SCENARIOS } from './scenarios.ts';
import { deathsOf, live, peaceful, sweptCatalog } from './sweep.ts';

/** One boundary alone: `TROVE_KILL_AT='create_volume before_run, after createVolume'`. */
const ALONE = process.env['TROVE_KILL_AT'];
/** Each boundary in each scenario that comes to it, in place of the first. */
const ALL = process.env['TROVE_KILL_ALL'] !== undefined;
const [CLEAR_EACH, REBUILD_EACH] = [12, 20];
/** Half of all boundaries are theirs: a test file of their own, beside the one of all other kinds. */
export const UPGRADES: ReadonlySet<string> = new Set(['upgrade_instance', 'rebuild_instance']);
export const MS_PER_SCENARIO = 600_000;

/**
 * Tests of workers that die at each boundary that scenarios of these kinds come to. `file`: where they are defined, for the
 * line that runs one again.
 */
export function killedAtEach(file: string, isKind: (kind: string) => boolean): void {
  let catalog: TestCatalog;
  beforeAll(async () => {
    catalog = await sweptCatalog();
  });
  afterAll(() => catalog.dispose());

  /** What a scenario's life without a death came to, of all that have run. */
  const reached = new Set<string>();
  const killed = new Set<string>();

  describe('a worker that dies before or after any call or transaction', () => {
    test.each(SCENARIOS.filter(({ kind }) => isKind(kind)))(
      '$name, ends as it should',
      { timeout: MS_PER_SCENARIO },
      async (scenario) => {
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
          const again = `again: TROVE_KILL_AT='${death}' npx vitest run test/${file} -t "${scenario.name},"`;
          await live(catalog, scenario, { again, diesAt: death });
        }
        if (ALONE !== undefined) expect(deathsOf(visits), 'it does not come there').toContain(ALONE);
      },
    );

    test('has been at every step of every kind, on its way there and back', () => {
      const ofKinds = pointsOfRelease().filter((point) => isKind(point.split(' ')[0] ?? ''));
      const missed = ofKinds.filter((point) => !reached.has(point));
      const why =
        'test/scenarios.ts has no line that comes to these steps: nobody dies there, and no journal is recorded';
      expect(ofKinds.length).toBeGreaterThan(0);
      expect(missed, why).toEqual([]);
    });
  });
}
