import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Knex } from 'knex';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { catalogVersion, downgradeCatalog, LATEST_VERSION, syncCatalog } from './index.ts';
import { describeTables, emptyDatabase } from './testing.ts';
import { MIGRATIONS } from './versions/all.ts';

// Each test makes databases of its own on a server that others use too.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const SLOW_MS = 180_000;
let database: Awaited<ReturnType<typeof emptyDatabase>>;
let knex: Knex;

beforeEach(async () => {
  database = await emptyDatabase();
  knex = database.knex;
});
afterEach(async () => {
  await database.dispose();
});

/** Dies before its nth statement; tells whether it came so far. */
async function dieAt(n: number, move: (onStatement: () => void) => Promise<void>): Promise<boolean> {
  let count = 0;
  const onStatement = (): void => {
    count += 1;
    if (count === n) throw new Error('killed');
  };
  return move(onStatement).then(
    () => false,
    (error: unknown) => {
      if (error instanceof Error && error.message === 'killed') return true;
      throw error;
    },
  );
}

const versions = MIGRATIONS.map((migration) => migration.version);

test('dead at any statement of any migration, up or down, it goes on to the same end', {
  timeout: SLOW_MS,
}, async () => {
  await syncCatalog(knex, { to: 40 });
  for (const [index, to] of versions.entries()) {
    const from = versions[index - 1];
    if (from === undefined) continue;
    const bottom = await describeTables(knex, ['catalog_version']);
    await syncCatalog(knex, { to });
    const top = await describeTables(knex, ['catalog_version']);
    for (let n = 1, died = true; died; n += 1) {
      died = await dieAt(n, (onStatement) => downgradeCatalog(knex, { to: from, onStatement }));
      await downgradeCatalog(knex, { to: from });
      expect(await describeTables(knex, ['catalog_version']), `${to} -> ${from}, statement ${n}`).toEqual(bottom);
      const diedUp = await dieAt(n, (onStatement) => syncCatalog(knex, { to, onStatement }));
      await syncCatalog(knex, { to });
      expect(await describeTables(knex, ['catalog_version']), `${from} -> ${to}, statement ${n}`).toEqual(top);
      died ||= diedUp;
      expect(died || n > 2).toBe(true);
    }
  }
});

test('dead at any statement on the way to the baseline, it goes on to the same end', { timeout: SLOW_MS }, async () => {
  await syncCatalog(knex, { to: 40 });
  const top = await describeTables(knex, ['catalog_version']);
  for (let n = 1; n <= Object.keys(top).length + 2; n += 4) {
    await downgradeCatalog(knex, { to: 0 });
    expect(await dieAt(n, (onStatement) => syncCatalog(knex, { to: 40, onStatement }))).toBe(true);
    await syncCatalog(knex, { to: 40 });
    expect(await describeTables(knex, ['catalog_version']), `statement ${n}`).toEqual(top);
  }
});

test('half-way down, the way up starts from the lower end, and the other way round', async () => {
  await syncCatalog(knex);
  const top = await describeTables(knex, ['catalog_version']);
  await dieAt(4, (onStatement) => downgradeCatalog(knex, { to: 100, onStatement }));
  expect(await catalogVersion(knex)).toBeLessThan(LATEST_VERSION);
  await syncCatalog(knex);
  expect(await describeTables(knex, ['catalog_version'])).toEqual(top);
  await downgradeCatalog(knex, { to: 48 });
  const middle = await describeTables(knex, ['catalog_version']);
  await dieAt(4, (onStatement) => syncCatalog(knex, { onStatement }));
  await downgradeCatalog(knex, { to: 48 });
  expect(await describeTables(knex, ['catalog_version'])).toEqual(middle);
});

/** A process that holds the lock in the middle of a migration until it is killed. */
const HOLDER = `
  import createKnex from 'knex';
  import { syncCatalog } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
  const knex = createKnex({ client: 'mysql2', connection: process.env.HOLDER_URL, pool: { min: 0, max: 3 } });
  await syncCatalog(knex, {
    leaseMs: 1500,
    onStatement: (sql) => {
      if (!sql.includes('clusters')) return;
      process.stdout.write('holding');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    },
  });
`;

test('a lock whose holder was killed is taken over, and what it left half-done is completed', {
  timeout: SLOW_MS,
}, async () => {
  const holder = spawn(process.execPath, ['--input-type=module', '-e', HOLDER], {
    env: { ...process.env, HOLDER_URL: database.url },
    cwd: new URL('.', import.meta.url).pathname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  const waitedFor: string[] = [];
  const started = Date.now();
  const sync = syncCatalog(knex, { leaseMs: 1500, onWaiting: (who) => void waitedFor.push(who) });
  holder.kill('SIGKILL');
  await sync;
  expect(Date.now() - started).toBeLessThan(30_000);
  expect(waitedFor.join()).toContain(`:${holder.pid}`);
  expect(await catalogVersion(knex)).toBe(LATEST_VERSION);
});

test('two at once take each step once', async () => {
  const steps: number[] = [];
  const onDone = ({ to }: { to: number }): void => void steps.push(to);
  await Promise.all([syncCatalog(knex, { onDone, leaseMs: 2000 }), syncCatalog(knex, { onDone, leaseMs: 2000 })]);
  expect(new Set(steps).size).toBe(steps.length);
  expect(steps.at(-1)).toBe(LATEST_VERSION);
});

test('a holder that lost its lock stops at its next statement', async () => {
  let statements = 0;
  const onStatement = (): void => {
    statements += 1;
  };
  const onStep = ({ to }: { to: number }): Promise<void> | undefined =>
    to === 43
      ? knex('catalog_version')
          .update({ lock_owner: 'another' })
          .then(() => undefined)
      : undefined;
  await syncCatalog(knex, { to: 42 });
  const moved = syncCatalog(knex, { onStatement, onStep: (step) => void onStep(step) });
  await expect(moved).rejects.toThrow('the migration lock was lost');
  expect(statements).toBeLessThan(10);
});
