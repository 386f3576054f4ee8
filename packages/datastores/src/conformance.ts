import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { identifyProcess, isTroveError, processRuns, signalProcess, waitForExit } from '@trove/common';
import { reachableCopy } from '@trove/testkit';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { DatastoreDriver, DatastorePlace, Installation, PageRequest } from './driver.ts';

/** An ordinary client of the datastore, as a tenant would use one. */
export interface TenantClient {
  /** The first column of each row, as text. */
  query(sql: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface ConformanceOptions {
  readonly driver: DatastoreDriver;
  readonly installation: Installation;
  /** An address of this machine that no other test uses. */
  readonly address: string;
  /** Over the network, never by the agent's socket; rejects where the server refuses. */
  connect(place: DatastorePlace, user: string, secret: string, database?: string): Promise<TenantClient>;
  /** Whether a database's name can hold characters beyond U+FFFF. */
  readonly holdsEmoji: boolean;
}

const EVERYTHING: PageRequest = { limit: null, marker: null, includeMarker: false };
const NAMES_TO_QUOTE = ['a`b', '";DROP', "o'clock", 'back\\slash', 'per%cent', 'dot.ted'];

/** Who an unprivileged database runs as while the tests are root. */
const NOBODY = { uid: 65534, gid: 65534 };

function placeIn(folder: string, options: ConformanceOptions, installation: Installation): DatastorePlace {
  return {
    installation,
    dataDir: join(folder, 'volume/database'),
    runDir: join(folder, 'root/run'),
    address: options.address,
    port: options.driver.standardPort,
    ...(process.getuid?.() === 0 ? { account: NOBODY } : {}),
  };
}

function databasePid(place: DatastorePlace): number {
  return (JSON.parse(readFileSync(join(place.runDir, 'database.process'), 'utf8')) as { pid: number }).pid;
}

/** What every datastore driver promises, shown on a real server. */
export function datastoreConformance(name: string, options: ConformanceOptions): void {
  vi.setConfig({ testTimeout: 60_000 });
  describe(`datastore ${name}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'datastore-'));
    const { binDir } = options.installation;
    const programs = reachableCopy(dirname(binDir));
    const place = placeIn(folder, options, {
      ...options.installation,
      binDir: join(programs.path, basename(binDir)),
    });
    const datastore = options.driver.open(place);

    beforeAll(async () => {
      chmodSync(folder, 0o755);
      expect(await datastore.status()).toBe('stopped');
      makeParents(place);
      await datastore.initialise();
      await datastore.start();
    }, 120_000);

    afterAll(async () => {
      await datastore.stop();
      rmSync(folder, { recursive: true, force: true });
      programs.dispose();
    }, 120_000);

    describeServer({ options, place });
    describeDatabases({ options, place });
    describeUsers({ options, place });
  });
}

function makeParents(place: DatastorePlace): void {
  for (const folder of [join(place.dataDir, '..'), join(place.runDir, '..')]) {
    mkdirSync(folder, { recursive: true });
    if (place.account !== undefined) chownSync(folder, place.account.uid, place.account.gid);
  }
}

interface Fixture {
  readonly options: ConformanceOptions;
  readonly place: DatastorePlace;
}

function describeServer({ options, place }: Fixture): void {
  test('it serves, says so, and starting or initialising it again changes nothing', async () => {
    const datastore = options.driver.open(place);
    const pid = databasePid(place);
    await datastore.initialise();
    await datastore.start();
    expect(await datastore.status()).toBe('healthy');
    expect(databasePid(place)).toBe(pid);
  });

  test('the server is not a root process when the agent is root, and its own account is readable to nobody else', () => {
    const owner = process.platform === 'linux' ? statSync(`/proc/${databasePid(place)}`).uid : process.getuid?.();
    expect(owner).not.toBe(0);
    expect(statSync(join(place.dataDir, 'admin.json')).mode & 0o777).toBe(0o600);
    expect(statSync(place.dataDir).mode & 0o777).toBe(0o700);
  });

  test.each(['root', 'postgres', 'os_admin', ''])('nobody gets in as "%s" without its password', async (user) => {
    await expect(options.connect(place, user, '')).rejects.toThrow();
    await expect(options.connect(place, user, 'guess')).rejects.toThrow();
  });

  test('the agent own account is not let in over the network even with its password', async () => {
    const admin = JSON.parse(readFileSync(join(place.dataDir, 'admin.json'), 'utf8')) as {
      user: string;
      password: string;
    };
    await expect(options.connect(place, admin.user, admin.password)).rejects.toThrow();
  });

  test('a running server is adopted by a new agent, also when the agent died before it wrote down what it started', async () => {
    const pid = databasePid(place);
    rmSync(join(place.runDir, 'database.process'));
    const datastore = options.driver.open(place);
    await datastore.start();
    expect(databasePid(place)).toBe(pid);
    expect(await datastore.status()).toBe('healthy');
  });

  test('a clean stop ends the process, and the data is there after the next start', async () => {
    const datastore = options.driver.open(place);
    await datastore.createDatabases([{ name: 'kept' }]);
    const identity = identifyProcess(databasePid(place));
    await datastore.stop();
    expect(identity !== undefined && processRuns(identity)).toBe(false);
    expect(await datastore.status()).toBe('stopped');
    await datastore.stop();
    await datastore.start();
    expect((await datastore.listDatabases(EVERYTHING)).items.map((item) => item.name)).toContain('kept');
    await datastore.deleteDatabase('kept');
  });

  test('a server that was killed is started again and recovers', async () => {
    const identity = identifyProcess(databasePid(place));
    if (identity === undefined) throw new Error('the server runs');
    const before = options.driver.open(place).incarnation();
    signalProcess(identity, 'SIGKILL');
    await waitForExit(identity, 10_000);
    const datastore = options.driver.open(place);
    expect(await datastore.status()).toBe('stopped');
    const started = datastore.start();
    expect(['starting', 'healthy']).toContain(await datastore.status());
    await started;
    expect(await datastore.status()).toBe('healthy');
    expect(databasePid(place)).not.toBe(identity.pid);
    expect([null, before]).not.toContain(datastore.incarnation());
  });
}

function describeDatabases({ options, place }: Fixture): void {
  const datastore = options.driver.open(place);
  const list = async (page: PageRequest): Promise<string[]> =>
    (await datastore.listDatabases(page)).items.map((item) => item.name);

  test('a new server shows no databases and no users', async () => {
    expect(await datastore.listDatabases(EVERYTHING)).toEqual({ items: [], nextMarker: null });
    expect(await datastore.listUsers(EVERYTHING)).toEqual({ items: [], nextMarker: null });
  });

  test('names that need quoting are made, listed and dropped as they are', async () => {
    const names = options.holdsEmoji ? [...NAMES_TO_QUOTE, 'emoji 🐘'] : NAMES_TO_QUOTE;
    await datastore.createDatabases(names.map((name) => ({ name })));
    expect((await list(EVERYTHING)).sort()).toEqual([...names].sort());
    for (const name of names) await datastore.deleteDatabase(name);
    expect(await list(EVERYTHING)).toEqual([]);
  });

  test('a name that the datastore cannot hold is refused before anything is made', async () => {
    const bad = ['', 'x'.repeat(65), 'nul\0byte', ...(options.holdsEmoji ? [] : ['emoji 🐬'])];
    for (const name of bad) {
      await expect(datastore.createDatabases([{ name: 'fine' }, { name }])).rejects.toMatchObject({
        code: 'BAD_REQUEST',
      });
    }
    expect(await list(EVERYTHING)).toEqual([]);
  });

  test('an unknown character set or collation is refused', async () => {
    await expect(datastore.createDatabases([{ name: 'odd', characterSet: 'klingon' }])).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    });
    await expect(datastore.createDatabases([{ name: 'odd', collate: "x' OR 1" }])).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    });
    expect(await list(EVERYTHING)).toEqual([]);
  });

  test('making a database twice leaves it as it is; dropping one that is not there says so', async () => {
    await datastore.createDatabases([{ name: 'twice' }]);
    await datastore.createDatabases([{ name: 'twice' }]);
    await datastore.deleteDatabase('twice');
    await expect(datastore.deleteDatabase('twice')).rejects.toMatchObject({ code: 'DATABASE_NOT_FOUND' });
  });

  test.each(['mysql', 'information_schema', 'postgres', 'template1'])(
    'the system database %s cannot be dropped',
    async (name) => {
      await expect(datastore.deleteDatabase(name)).rejects.toMatchObject({ code: 'DATABASE_NOT_FOUND' });
    },
  );

  test('lists are paged by name', async () => {
    const names = ['B', 'a', 'b', 'c', 'd'];
    await datastore.createDatabases(names.map((name) => ({ name })));
    const first = await datastore.listDatabases({ limit: 2, marker: null, includeMarker: false });
    expect([first.items.map((item) => item.name), first.nextMarker]).toEqual([['B', 'a'], 'a']);
    expect(await list({ limit: 2, marker: 'a', includeMarker: false })).toEqual(['b', 'c']);
    expect(await list({ limit: 2, marker: 'a', includeMarker: true })).toEqual(['a', 'b']);
    expect(await datastore.listDatabases({ limit: 2, marker: 'c', includeMarker: false })).toMatchObject({
      nextMarker: null,
    });
    expect(await datastore.listDatabases({ limit: 0, marker: null, includeMarker: false })).toEqual({
      items: [],
      nextMarker: null,
    });
    for (const name of names) await datastore.deleteDatabase(name);
  });
}

function describeUsers({ options, place }: Fixture): void {
  const datastore = options.driver.open(place);

  test('a user gets into its databases with an ordinary client, with all privileges, and into no other', async () => {
    await datastore.createDatabases([{ name: 'my_db' }, { name: 'myxdb' }]);
    await datastore.createUsers([{ name: 'ann', password: `p'"\\ä`, databases: ['my_db'] }]);
    const client = await options.connect(place, 'ann', `p'"\\ä`, 'my_db');
    await client.query('CREATE TABLE numbers (a INT)');
    await client.query('INSERT INTO numbers VALUES (42)');
    expect(await client.query('SELECT a FROM numbers')).toEqual(['42']);
    await client.close();
    await expect(options.connect(place, 'ann', `p'"\\ä`, 'myxdb')).rejects.toThrow();
    await expect(options.connect(place, 'ann', 'wrong', 'my_db')).rejects.toThrow();
  });

  test('users are listed with their databases, the agent account left out, and paged by name and host', async () => {
    await datastore.createUsers([
      { name: 'bob', host: '%', password: 'secret', databases: ['my_db', 'myxdb'] },
      { name: 'cy"d', password: 's', databases: [] },
    ]);
    expect((await datastore.listUsers(EVERYTHING)).items).toEqual([
      { name: 'ann', host: '%', databases: ['my_db'] },
      { name: 'bob', host: '%', databases: ['my_db', 'myxdb'] },
      { name: 'cy"d', host: '%', databases: [] },
    ]);
    const first = await datastore.listUsers({ limit: 1, marker: null, includeMarker: false });
    expect([first.items[0]?.name, first.nextMarker]).toEqual(['ann', 'ann@%']);
    expect((await datastore.listUsers({ limit: 1, marker: 'ann@%', includeMarker: false })).items[0]?.name).toBe('bob');
  });

  test('two users of one database both may make tables in it', async () => {
    const client = await options.connect(place, 'bob', 'secret', 'my_db');
    await client.query('CREATE TABLE of_bob (a INT)');
    await client.close();
  });

  test('a user that exists is refused, and the others of that call are not made', async () => {
    const users = [
      { name: 'dan', password: 's', databases: [] },
      { name: 'ann', password: 's', databases: [] },
    ];
    await expect(datastore.createUsers(users)).rejects.toMatchObject({ code: 'USER_EXISTS' });
    expect((await datastore.listUsers(EVERYTHING)).items.map((user) => user.name)).toEqual(['ann', 'bob', 'cy"d']);
  });

  test('what a crash left half made is ended: users are made or given their password and databases anew', async () => {
    await datastore.ensureUsers([
      { name: 'ann', password: 'changed', databases: ['my_db', 'myxdb'] },
      { name: 'eve', password: 'new', databases: ['myxdb'] },
    ]);
    await (await options.connect(place, 'ann', 'changed', 'myxdb')).close();
    await (await options.connect(place, 'eve', 'new', 'myxdb')).close();
  });

  test('a user that the server refuses leaves no password in its log', async () => {
    // PostgreSQL keeps this name to itself; the others may hold it.
    const refused = { name: 'none', password: 'n0t-in-a-log', databases: [] };
    const answer: unknown = await datastore.createUsers([refused]).catch((error: unknown) => error);
    expect([undefined, 'BAD_REQUEST']).toContain(isTroveError(answer) ? answer.code : answer);
    expect(readFileSync(join(place.runDir, 'database.log'), 'utf8')).not.toContain('n0t-in-a-log');
  });

  test.each(['os_admin', 'x'.repeat(64), 'nul\0'])('the user name "%s" is refused', async (name) => {
    await expect(datastore.createUsers([{ name, password: 's', databases: [] }])).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    });
  });
}
