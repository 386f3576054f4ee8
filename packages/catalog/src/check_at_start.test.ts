import { silentLogger, systemClock, TroveError } from '@trove/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startChecked } from './check_at_start.ts';
import { type TestCatalog, testCatalog } from './testing.ts';

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await testCatalog('sqlite');
});
afterAll(() => catalog.dispose());

const clock = { ...systemClock, sleep: async (): Promise<void> => undefined };
const away = new TroveError('CATALOG_UNAVAILABLE', 'The catalog is away.', { retryable: true });
const wrong = new TroveError('CONFLICT', 'These are not the keys of this catalog.');

/** A start that finds these, one after the other; what became of it. */
async function startFinding(...found: readonly (TroveError | undefined)[]): Promise<string[]> {
  const happened: string[] = [];
  const left = [...found];
  const started = await startChecked(catalog, {
    ...{ clock, logger: { ...silentLogger, error: (message: string) => void happened.push(message) } },
    async check() {
      const error = left.shift();
      if (error !== undefined) throw error;
    },
    begin: async () => void happened.push('begun'),
    stop: () => void happened.push('stopped'),
  });
  await expect.poll(() => [left.length, happened.length > 0]).toEqual([0, true]);
  await started.close();
  return happened;
}

test('a service begins when its catalog is the one that it is set up for, also where that answers late', async () => {
  expect(await startFinding(undefined)).toEqual(['begun']);
  expect(await startFinding(away, away, undefined)).toEqual(['begun']);
});

test('beside a catalog that is not of its release it does not begin, and says which is the newer one', async () => {
  const { version } = (await catalog.knex('catalog_version').first('version')) as { version: number };
  const at = async (other: number): Promise<string> => {
    await catalog.knex('catalog_version').update({ version: other });
    return await startFinding().then(String, String);
  };
  expect(await at(version - 1)).toMatch('run "trove-manage db_sync" first');
  expect(await at(version + 1)).toMatch(
    `a newer release has changed it; start that one's services, or go back with its`,
  );
  await catalog.knex('catalog_version').update({ version });
});

test('one that is set up for another does not begin: at once it rejects, later it is stopped', async () => {
  await expect(startFinding(wrong)).rejects.toBe(wrong);
  expect(await startFinding(away, wrong)).toEqual(['this service is not set up for its catalog', 'stopped']);
});

test('one that is closed before its catalog answers neither begins nor is stopped', async () => {
  const happened: string[] = [];
  const started = await startChecked(catalog, {
    logger: { ...silentLogger, error: (message: string) => void happened.push(message) },
    check: () => Promise.reject(away),
    begin: async () => void happened.push('begun'),
    stop: () => void happened.push('stopped'),
  });
  await started.close();
  expect(happened).toEqual([]);
});
