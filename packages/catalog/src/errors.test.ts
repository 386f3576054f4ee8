import { TroveError } from '@trove/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isUnavailable, unavailableCatalog } from './errors.ts';
import { type TestCatalog, testCatalog } from './testing.ts';
import { withTransaction } from './transaction.ts';

describe('what a MySQL server says when it cannot be worked with now', () => {
  let catalog: TestCatalog;
  beforeAll(async () => {
    catalog = await testCatalog('mysql');
  });
  afterAll(() => catalog.dispose());

  const signal = (errno: number): Promise<unknown> =>
    catalog.knex.raw(`SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = ${errno}, MESSAGE_TEXT = 'said by the test'`);
  const failureOf = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => 'none',
      (error: unknown) => error,
    );
  const gone = { code: 'CATALOG_UNAVAILABLE', retryable: true };

  test.each([
    [1047, 'a Galera node that is not ready'],
    [1053, 'a server that shuts down'],
    [1203, 'too many connections of a user'],
    [1290, 'a server that has become a replica'],
    [1317, 'a query that was ended'],
    [1792, 'a read-only session'],
    [1836, 'a server in read-only mode'],
    [1927, 'a connection that was ended, on MariaDB'],
    [1969, 'a statement that took too long, on MariaDB'],
    [3024, 'a statement that took too long, on MySQL'],
    [3169, 'a connection that was ended, on MySQL'],
    [4031, 'a connection that was silent too long'],
  ])('%i, %s', async (errno) => {
    const error = await failureOf(signal(errno));
    expect(isUnavailable(error)).toBe(true);
    await expect(withTransaction(catalog, () => signal(errno))).rejects.toMatchObject(gone);
  });

  test('a connection to a server that takes no writes is not used again, others are', async () => {
    const id = async (): Promise<unknown> => (await catalog.knex.raw('SELECT CONNECTION_ID() AS id'))[0][0].id;
    const first = await id();
    await failureOf(signal(1064));
    expect(await id()).toBe(first);
    await failureOf(signal(1290));
    expect(await id()).not.toBe(first);
  });

  test('a write on a server that takes none is told as that', async () => {
    const write = withTransaction(catalog, async (tx) => {
      await tx.raw('COMMIT');
      await tx.raw('START TRANSACTION READ ONLY');
      await tx('instances').insert({ id: 'a' });
    });
    await expect(write).rejects.toMatchObject(gone);
  });

  test.each([1205, 1213, 3101])(
    '%i is no failure of ours outside a transaction either, which alone is run again',
    async (errno) => {
      const error = await failureOf(signal(errno));
      expect(isUnavailable(error)).toBe(true);
      expect(await failureOf((async () => unavailableCatalog(error))())).toMatchObject(gone);
      let runs = 0;
      await withTransaction(catalog, async () => {
        runs += 1;
        if (runs === 1) await signal(errno);
      });
      expect(runs).toBe(2);
    },
  );

  test('what is wrong with the statement is told as it is', async () => {
    for (const errno of [1062, 1064, 1054, 1406]) expect(isUnavailable(await failureOf(signal(errno)))).toBe(false);
    expect(isUnavailable(new TroveError('NOT_FOUND', 'no'))).toBe(false);
  });
});
