import type { TestCatalog } from '@trove/catalog/testing';
import { seededRandom } from '@trove/testkit';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { checkEnd } from './check_end.ts';
import { openHouse } from './house.ts';
import { Run } from './mortal_worker.ts';
import { begin, type Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';
import { sweptCatalog } from './sweep.ts';
import { openWorkers } from './worker.ts';

/** One of them alone: `TROVE_KILL_SEED=7`. More of each scenario: `TROVE_KILL_RUNS=1000`. */
const SEED = process.env['TROVE_KILL_SEED'];
const RUNS = Number(process.env['TROVE_KILL_RUNS'] ?? 6);
const SEEDS = SEED === undefined ? Array.from({ length: RUNS }, (_, index) => index + 1) : [Number(SEED)];
/** Guests in clear are waited for by the second where an answer is lost: one of so many seeds. */
const IN_CLEAR_EACH = 4;
const MS_PER_RUN = 60_000;
/** Of so many seeds one is of whole taskmanagers, with their rounds. */
const WHOLE_EACH = 8;
const MOST_DEATHS = 4;
const VISITS_TO_DEATH = 40;

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await sweptCatalog();
});
afterAll(() => catalog.dispose());

describe('workers that die anywhere', () => {
  test.each(SCENARIOS)('$name, ends as it should', { timeout: SEEDS.length * MS_PER_RUN }, async (scenario) => {
    const seeds = scenario.clear === undefined ? SEEDS : SEEDS.filter((_, index) => index % IN_CLEAR_EACH === 0);
    for (const seed of seeds) await liveAndDie(scenario, seed);
  });
});

/** Up to four die one after the other, each around some outside call or some transaction, and another ends it. */
async function liveAndDie(scenario: Scenario, seed: number): Promise<void> {
  const again = `again: TROVE_KILL_SEED=${seed} npx vitest run test/killed_anywhere.test.ts -t "${scenario.name},"`;
  const random = seededRandom(seed);
  const whole = seed % WHOLE_EACH === 1;
  const house = openHouse(catalog);
  const workers = openWorkers(house);
  try {
    const filed = await begin(house, workers, scenario);
    const run = new Run(house, workers, scenario, filed);
    for (let deaths = 1 + Math.floor(random() * MOST_DEATHS); deaths > 0; deaths -= 1) {
      let left = 1 + Math.floor(random() * VISITS_TO_DEATH);
      const died = await run.mortal(() => {
        left -= 1;
        return left === 0;
      }, whole);
      if (!died) break;
    }
    await run.takeOver();
    await checkEnd(house, scenario, filed, again);
  } catch (error) {
    if (error instanceof Error && !error.message.includes(again)) error.message = `${error.message}; ${again}`;
    throw error;
  } finally {
    await workers.close();
    await house.dispose();
  }
}
