import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Catalog, openCatalog } from './catalog.ts';
import { catalogAnswers } from './catalog_answers.ts';
import { isUnavailable } from './errors.ts';
import { type TestCatalog, testCatalog } from './testing.ts';
import { withTransaction } from './transaction.ts';

let whole: TestCatalog;
let catalog: Catalog;
beforeEach(async () => {
  whole = await testCatalog('mysql');
  catalog = openCatalog({ connection: whole.connection, statementTimeoutMs: 400, acquireTimeoutMs: 2000, poolSize: 2 });
});
afterEach(async () => {
  await catalog.close();
  await whole.dispose();
});

const failureOf = async (work: Promise<unknown>): Promise<unknown> => {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
};

test('a statement without an answer ends its connection, counts as an outage, and the next one has a new connection', async () => {
  const before = await catalog.knex.raw('SELECT CONNECTION_ID() AS id');
  expect(isUnavailable(await failureOf(catalog.knex.raw('SELECT SLEEP(20)')))).toBe(true);
  const after = await catalog.knex.raw('SELECT CONNECTION_ID() AS id');
  expect(after[0][0].id).not.toBe(before[0][0].id);
});

test('in a transaction it is CATALOG_UNAVAILABLE, and the transaction leaves nothing', async () => {
  const failure = await failureOf(
    withTransaction(catalog, async (tx) => {
      await tx('datastores').insert({ id: 'd1', name: 'one' });
      await tx.raw('SELECT SLEEP(20)');
    }),
  );
  expect(failure).toMatchObject({ code: 'CATALOG_UNAVAILABLE', retryable: true });
  expect(await whole.knex('datastores').select()).toEqual([]);
});

test('a session lets go of its rows when its owner says nothing for half a minute', async () => {
  const variables = await catalog.knex.raw(
    'SELECT @@SESSION.wait_timeout AS silent, @@SESSION.innodb_lock_wait_timeout AS locked',
  );
  expect(variables[0][0]).toEqual({ silent: '30', locked: '5' });
  const unbounded = await whole.knex.raw('SELECT @@SESSION.wait_timeout = @@GLOBAL.wait_timeout AS same');
  expect(Number(unbounded[0][0].same)).toBe(1);
});

test('a database that takes connections and says nothing is an outage, and the catalog can be closed', async () => {
  const silent = await listenSilently();
  const mute = openCatalog({ connection: silent.connection, statementTimeoutMs: 400, acquireTimeoutMs: 1000 });
  expect(await catalogAnswers(mute)).toBe(false);
  expect(isUnavailable(await failureOf(mute.knex.raw('SELECT 1')))).toBe(true);
  await mute.close();
  await silent.close();
  expect(await catalogAnswers(catalog)).toBe(true);
});

async function listenSilently(): Promise<{ connection: string; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => sockets.add(socket));
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await listening;
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    connection: `mysql://nobody:x@127.0.0.1:${port}/trove`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}
