import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { seededRun } from '../../test/seeded_run.ts';

/** One of them alone: `TROVE_TASKS_SEED=17`. More of them: `TROVE_TASKS_RUNS=20000`. */
const SEED = process.env['TROVE_TASKS_SEED'];
const RUNS = Number(process.env['TROVE_TASKS_RUNS'] ?? 1000);
const MS_PER_RUN = 500;

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await testCatalog('sqlite');
});
afterAll(() => catalog.dispose());

it(`${RUNS} instances whose workers are killed and stopped anywhere each end as they should`, {
  timeout: RUNS * MS_PER_RUN,
}, async () => {
  const seeds = SEED === undefined ? Array.from({ length: RUNS }, (_, index) => index + 1) : [Number(SEED)];
  const failures: string[] = [];
  for (const seed of seeds) {
    await seededRun(catalog, seed).catch((error: unknown) => {
      const text = error instanceof Error ? error.message : String(error);
      failures.push(`${text}; again: TROVE_TASKS_SEED=${seed} npx vitest run src/engine/seeded_runs.test.ts`);
    });
  }
  expect(failures).toEqual([]);
});
