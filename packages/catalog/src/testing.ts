import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dialect, syncCatalog } from '@trove/migrations';
import { testDatabase } from '@trove/testkit';
import { type Catalog, openCatalog } from './catalog.ts';

export interface TestCatalog extends Catalog {
  /** For a second handle on the same catalog. */
  readonly connection: string;
  /** Closes it and removes the database or the file. */
  dispose(): Promise<void>;
}

/**
 * A catalog of one's own: a database on the server of `TROVE_TEST_MYSQL_URL`, or a SQLite file. Migrated to the newest
 * version, or to `version`; 0 leaves it empty. A query outside its transaction fails after 2 s.
 */
export async function testCatalog(dialect: Dialect, version?: number): Promise<TestCatalog> {
  const { connection, remove } = dialect === 'mysql' ? await onServer() : await inFile();
  const catalog = openCatalog({ connection, acquireTimeoutMs: 2000 });
  if (version !== 0) await syncCatalog(catalog.knex, version === undefined ? {} : { to: version });
  return {
    ...catalog,
    connection,
    dispose: async () => {
      await catalog.close();
      await remove();
    },
  };
}

interface Place {
  connection: string;
  remove(): Promise<void>;
}

async function onServer(): Promise<Place> {
  const database = await testDatabase();
  return { connection: database.url, remove: () => database.dispose() };
}

async function inFile(): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), 'trove-catalog-'));
  return {
    connection: `sqlite:///${join(directory, 'catalog.sqlite')}`,
    remove: () => rm(directory, { recursive: true }),
  };
}
