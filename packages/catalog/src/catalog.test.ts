import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Catalog, dbNow, isDuplicate, openCatalog, toBigint, troveNow, withTransaction } from './index.ts';
import { type TestCatalog, testCatalog } from './testing.ts';

// Each test makes databases of its own on a server that others use too.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const TROVE_TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/;

describe.each(['mysql', 'sqlite'] as const)('a catalog on %s', (dialect) => {
  let catalog: TestCatalog;
  const instance = { id: '514ef051-0bf7-48a5-adcf-071d4a6625fb', name: 'm1', deleted: 0, fence: 0 };

  afterEach(async () => {
    await catalog.dispose();
  });

  test('the database tells the time inside the statement, and it compares', async () => {
    catalog = await testCatalog(dialect);
    const before = BigInt(Date.now() - 5000) * 1000n;
    await catalog.knex('rpc_inbox').insert({ sender: 'a', message_id: 'm', expires: dbNow(catalog.knex) });
    const row: { expires: string | number } = await catalog.knex('rpc_inbox').first('expires');
    expect(toBigint(row.expires)).toBeGreaterThan(before);
    expect(await catalog.knex('rpc_inbox').where('expires', '<=', dbNow(catalog.knex)).delete()).toBe(1);
  });

  test('whole numbers of 64 bits come back as they went in', async () => {
    catalog = await testCatalog(dialect);
    const fence = 2n ** 62n + 1n;
    await catalog.knex('instances').insert({ ...instance, fence });
    const row: { fence: string | number } = await catalog.knex('instances').first('fence');
    expect(toBigint(row.fence)).toBe(fence);
  });

  test('times of Trove are text in UTC, flags are 0 and 1', async () => {
    catalog = await testCatalog(dialect);
    await catalog.knex('instances').insert({ ...instance, created: troveNow(catalog.knex), deleted: true });
    const row: { created: string; deleted: number } = await catalog.knex('instances').first('created', 'deleted');
    expect(row.created).toMatch(TROVE_TIME);
    expect(Math.abs(Date.parse(`${row.created.replace(' ', 'T')}Z`) - Date.now())).toBeLessThan(10_000);
    expect(row.deleted).toBe(1);
  });

  test('a duplicate is told from other errors', async () => {
    catalog = await testCatalog(dialect);
    await catalog.knex('instances').insert(instance);
    const twice = await catalog
      .knex('instances')
      .insert(instance)
      .catch((error: unknown) => error);
    const wrong = await catalog
      .knex('instances')
      .insert({ nothing: 1 })
      .catch((error: unknown) => error);
    expect([isDuplicate(twice), isDuplicate(wrong)]).toEqual([true, false]);
  });

  test('an error names its statement and none of the values that were to be written', async () => {
    catalog = await testCatalog(dialect);
    await catalog.knex('instances').insert(instance);
    const error: unknown = await catalog
      .knex('instances')
      .insert({ ...instance, name: 's3cret' })
      .catch((refused: unknown) => refused);
    expect(String(error)).toContain('insert into');
    expect(String(error)).not.toContain('s3cret');
  });

  test('the affected rows of an update are those that matched, changed or not', async () => {
    catalog = await testCatalog(dialect);
    await catalog.knex('instances').insert(instance);
    const update = () => catalog.knex('instances').where({ id: instance.id }).update({ name: 'm1' });
    expect([await update(), await update()]).toEqual([1, 1]);
  });

  test('a transaction that throws leaves nothing, one inside another undoes its own part only', async () => {
    catalog = await testCatalog(dialect);
    await catalog.knex('instances').insert(instance);
    const rename = (name: string) => ({ where: { id: instance.id }, set: { name } });
    await expect(
      withTransaction(catalog, async (tx) => {
        await tx('instances').where(rename('x').where).update(rename('x').set);
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await catalog.knex('instances').first('name')).toEqual({ name: 'm1' });
    await withTransaction(catalog, async (tx) => {
      await tx('instances').update({ name: 'outer' });
      await tx
        .transaction(async (inner) => {
          await inner('instances').update({ name: 'inner' });
          throw new Error('no');
        })
        .catch(() => undefined);
    });
    expect(await catalog.knex('instances').first('name')).toEqual({ name: 'outer' });
  });

  test('read-then-write transactions of two handles lose no update', async () => {
    catalog = await testCatalog(dialect);
    await catalog.knex('instances').insert({ ...instance, volume_size: 0 });
    const other = openCatalog({ connection: catalog.connection });
    const add = (on: Catalog) =>
      withTransaction(on, async (tx) => {
        const query = tx('instances').where({ id: instance.id }).first('volume_size');
        const row: { volume_size: number } = await (on.dialect === 'mysql' ? query.forUpdate() : query);
        await tx('instances')
          .where({ id: instance.id })
          .update({ volume_size: row.volume_size + 1 });
      });
    await Promise.all(Array.from({ length: 20 }, (_, i) => add(i % 2 === 0 ? catalog : other)));
    await other.close();
    expect(await catalog.knex('instances').first('volume_size')).toEqual({ volume_size: 20 });
  });

  test('a text that the column cannot hold is an error on MySQL, never a shorter text', async () => {
    catalog = await testCatalog(dialect);
    const name = 'x'.repeat(300);
    const stored = await catalog
      .knex('instances')
      .insert({ ...instance, name })
      .then(
        () => catalog.knex('instances').first('name'),
        () => 'refused',
      );
    expect(stored).toEqual(dialect === 'mysql' ? 'refused' : { name });
  });
});

test('a query outside its transaction fails instead of waiting for ever on the one connection of SQLite', async () => {
  const catalog = await testCatalog('sqlite');
  await expect(withTransaction(catalog, () => catalog.knex('instances').first())).rejects.toMatchObject({
    code: 'CATALOG_UNAVAILABLE',
  });
  await catalog.dispose();
});

test('a transaction that MySQL breaks off as a deadlock is run again whole', async () => {
  const catalog = await testCatalog('mysql');
  await catalog.knex('instances').insert([
    { id: 'a', name: '0' },
    { id: 'b', name: '0' },
  ]);
  let met: () => void = () => undefined;
  const both = new Promise<void>((resolve) => (met = resolve));
  let arrived = 0;
  let runs = 0;
  const cross = (first: string, second: string) =>
    withTransaction(catalog, async (tx) => {
      runs += 1;
      await tx('instances')
        .where({ id: first })
        .update({ volume_size: tx.raw('COALESCE(volume_size, 0) + 1') });
      arrived += 1;
      if (arrived === 2) met();
      await both;
      await tx('instances')
        .where({ id: second })
        .update({ volume_size: tx.raw('COALESCE(volume_size, 0) + 1') });
    });
  await Promise.all([cross('a', 'b'), cross('b', 'a')]);
  expect(runs).toBeGreaterThan(2);
  expect(await catalog.knex('instances').select('volume_size')).toEqual([{ volume_size: 2 }, { volume_size: 2 }]);
  await catalog.dispose();
});

test('a connection that is lost in the middle undoes its transaction, and the next one is a new connection', async () => {
  const catalog = await testCatalog('mysql');
  const other = openCatalog({ connection: catalog.connection });
  const lost = withTransaction(catalog, async (tx) => {
    await tx('instances').insert({ id: 'a', name: 'a' });
    const [rows] = (await tx.raw('SELECT CONNECTION_ID() AS id')) as [{ id: string }[]];
    await other.knex.raw('KILL CONNECTION ?', [Number(rows[0]?.id)]);
    await tx('instances').insert({ id: 'b', name: 'b' });
  });
  await expect(lost).rejects.toMatchObject({ code: 'CATALOG_UNAVAILABLE' });
  expect(await withTransaction(catalog, (tx) => tx('instances').pluck('id'))).toEqual([]);
  await other.close();
  await catalog.dispose();
});

test('a server that is not there is CATALOG_UNAVAILABLE at once', async () => {
  const catalog = openCatalog({ connection: 'mysql://a:b@127.0.0.1:1/none' });
  const started = Date.now();
  await expect(withTransaction(catalog, (tx) => tx('instances').first())).rejects.toMatchObject({
    code: 'CATALOG_UNAVAILABLE',
    retryable: true,
  });
  expect(Date.now() - started, 'not after tries that each wait for a time-out').toBeLessThan(10_000);
  await catalog.close();
});

test.each(['postgres://a/b', 'mysql://host', 'sqlite://', 'sqlite:///', 'nonsense'])(
  '%s is refused as a connection',
  (connection) => {
    expect(() => openCatalog({ connection })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error);
  },
);

test('on SQLite what was committed is on the disk, not only what a checkpoint has reached', async () => {
  const catalog = await testCatalog('sqlite');
  const [full, wal] = [await catalog.knex.raw('PRAGMA synchronous'), await catalog.knex.raw('PRAGMA journal_mode')];
  expect([full, wal]).toEqual([[{ synchronous: 2 }], [{ journal_mode: 'wal' }]]);
  await catalog.dispose();
});
