import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { seededRun } from '../../test/seeded_run.ts';

const SEED_VARIABLE = 'TROVE_TASKS_SEED';
const RUNS = 200;

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await testCatalog('sqlite');
});
afterAll(() => catalog.dispose());

it(`${RUNS} instances whose workers are killed and stopped anywhere each end as they should`, {
  timeout: 150_000,
}, async () => {
  const given = process.env[SEED_VARIABLE];
  const seeds = given === undefined ? Array.from({ length: RUNS }, (_, index) => index + 1) : [Number(given)];
  const failures: string[] = [];
  for (const seed of seeds) {
    await seededRun(catalog, seed).catch((error: unknown) => {
      const text = error instanceof Error ? error.message : String(error);
      failures.push(`${text}; again: ${SEED_VARIABLE}=${seed} npx vitest run src/engine/seeded_runs.test.ts`);
    });
  }
  expect(failures).toEqual([]);
});
