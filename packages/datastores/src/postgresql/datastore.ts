import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import type { DatabaseSpec, Datastore, DatastorePlace, Page, PageRequest, UserInfo, UserSpec } from '../driver.ts';
import { ADMIN_USER, keepAdminPassword, readAdminPassword } from '../server/admin_account.ts';
import { effectiveAccount, makePrivateFolder, makeSocketFolder, socketFolder } from '../server/folders.ts';
import { ServerProcess } from '../server/server_process.ts';
import { waitUntilHealthy } from '../server/wait_until_healthy.ts';
import { createPostgresDatabases, deletePostgresDatabase, listPostgresDatabases } from './databases.ts';
import { sqlState, translatePostgresError } from './errors.ts';
import { initialisePostgres } from './initialise.ts';
import { ensureLibraryLinks } from './libraries.ts';
import { createPostgresUsers, ensurePostgresUsers, type InDatabase, listPostgresUsers } from './users.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const STARTING_UP = '57P03';

/** PostgreSQL on one instance. The agent comes in over the socket as `os_admin`; over the network that name is refused. */
export class PostgresDatastore implements Datastore {
  readonly #place: DatastorePlace;
  readonly #serverDir: string;
  readonly #adminFile: string;
  readonly #socketDir: string;
  readonly #server: ServerProcess;
  /** How many calls of `start` are under way: a server that does not serve yet is no broken one then. */
  #starts = 0;
  readonly #inDatabase: InDatabase = (name, work) => this.#withClient(name, work);

  constructor(place: DatastorePlace) {
    this.#place = place;
    this.#serverDir = join(place.dataDir, 'server');
    this.#adminFile = join(place.dataDir, 'admin.json');
    this.#socketDir = socketFolder(place, `.s.PGSQL.${place.port}.lock`);
    this.#server = new ServerProcess({
      runDir: place.runDir,
      serverDir: this.#serverDir,
      lockFile: join(this.#serverDir, 'postmaster.pid'),
      account: effectiveAccount(place),
    });
  }

  async initialise(): Promise<void> {
    const account = effectiveAccount(this.#place);
    makePrivateFolder(this.#place.dataDir, account);
    const adminPassword = keepAdminPassword(this.#adminFile, account);
    await initialisePostgres({
      installation: this.#place.installation,
      serverDir: this.#serverDir,
      adminPassword,
      account,
    });
  }

  async start(): Promise<void> {
    this.#starts += 1;
    try {
      await this.#startServer();
    } finally {
      this.#starts -= 1;
    }
  }

  /** SIGINT is PostgreSQL's "fast" shutdown: sessions are ended, the data is written out. */
  async stop(): Promise<void> {
    await this.#server.stop('SIGINT');
    if (this.#socketDir !== this.#place.runDir) rmSync(this.#socketDir, { recursive: true, force: true });
  }

  async status(): ReturnType<Datastore['status']> {
    if (this.#server.find() === undefined) return this.#starts > 0 ? 'starting' : 'stopped';
    const answer = await this.#answer();
    if (answer === 'serves') return 'healthy';
    return answer === 'starting' || this.#starts > 0 ? 'starting' : 'broken';
  }

  incarnation(): string | null {
    const identity = this.#server.find();
    return identity === undefined ? null : `${identity.pid} ${identity.started}`;
  }

  async createDatabases(databases: readonly DatabaseSpec[]): Promise<void> {
    await this.#withClient('postgres', (client) => createPostgresDatabases(client, databases));
  }

  async deleteDatabase(name: string): Promise<void> {
    await this.#withClient('postgres', (client) => deletePostgresDatabase(client, name));
  }

  async listDatabases(page: PageRequest): Promise<Page<DatabaseSpec>> {
    return this.#withClient('postgres', (client) => listPostgresDatabases(client, page));
  }

  async createUsers(users: readonly UserSpec[]): Promise<void> {
    await this.#withClient('postgres', (client) => createPostgresUsers(client, this.#inDatabase, users));
  }

  async ensureUsers(users: readonly UserSpec[]): Promise<void> {
    await this.#withClient('postgres', (client) => ensurePostgresUsers(client, this.#inDatabase, users));
  }

  async listUsers(page: PageRequest): Promise<Page<UserInfo>> {
    return this.#withClient('postgres', (client) => listPostgresUsers(client, page));
  }

  async #startServer(): Promise<void> {
    const running = this.#server.find();
    ensureLibraryLinks(this.#place.installation.binDir);
    makeSocketFolder(this.#socketDir, effectiveAccount(this.#place));
    if (running === undefined) this.#removeStaleLock();
    const identity =
      running ?? this.#server.spawn(join(this.#place.installation.binDir, 'postgres'), this.#serverOptions());
    await waitUntilHealthy(this.#server, identity, async () => (await this.#answer()) === 'serves');
  }

  async #answer(): Promise<'serves' | 'starting' | 'silent'> {
    try {
      await this.#withClient('postgres', (client) => client.query('SELECT 1'));
      return 'serves';
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      return sqlState(cause) === STARTING_UP ? 'starting' : 'silent';
    }
  }

  async #withClient<T>(database: string, work: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client({
      host: this.#socketDir,
      port: this.#place.port,
      user: ADMIN_USER,
      password: readAdminPassword(this.#adminFile).reveal(),
      database,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      application_name: 'trove-guestagent',
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return await work(client);
    } catch (error) {
      throw translatePostgresError(error);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** After a crash of the machine the lock may name a process that is somebody else's now; PostgreSQL would then refuse to start. */
  #removeStaleLock(): void {
    rmSync(join(this.#serverDir, 'postmaster.pid'), { force: true });
    // Its pid may still stand in the process table: a dead child whose end has not been taken yet.
    rmSync(join(this.#socketDir, `.s.PGSQL.${this.#place.port}.lock`), { force: true });
  }

  #serverOptions(): string[] {
    const { address, port } = this.#place;
    const settings = [
      `listen_addresses=${address}`,
      `unix_socket_directories=${this.#socketDir}`,
      'unix_socket_permissions=0700',
      'shared_buffers=16MB',
      'max_wal_size=256MB',
      'timezone=UTC',
      'log_timezone=UTC',
      // The statement of an error is written out otherwise, and that of a new user holds its password.
      'log_min_error_statement=panic',
    ];
    return ['-D', this.#serverDir, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
  }
}
