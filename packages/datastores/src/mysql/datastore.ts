import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { TroveError } from '@trove/common';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import type { DatabaseSpec, Datastore, DatastorePlace, Page, PageRequest, UserInfo, UserSpec } from '../driver.ts';
import { ADMIN_USER, keepAdminPassword, readAdminPassword } from '../server/admin_account.ts';
import { effectiveAccount, makePrivateFolder, makeSocketFolder, socketFolder } from '../server/folders.ts';
import { ServerProcess } from '../server/server_process.ts';
import { waitUntilHealthy } from '../server/wait_until_healthy.ts';
import { createMysqlDatabases, deleteMysqlDatabase, listMysqlDatabases } from './databases.ts';
import { translateMysqlError } from './errors.ts';
import { initialiseMysql } from './initialise.ts';
import { mysqlServerProgram } from './installations.ts';
import { createMysqlUsers, ensureMysqlUsers, listMysqlUsers } from './users.ts';

const SOCKET = 'mysqld.sock';
const CONNECT_TIMEOUT_MS = 10_000;

/** MySQL or MariaDB on one instance. The agent comes in over the socket as `os_admin@localhost`, which no network reaches. */
export class MysqlDatastore implements Datastore {
  readonly #place: DatastorePlace;
  readonly #serverDir: string;
  readonly #adminFile: string;
  readonly #socketDir: string;
  readonly #server: ServerProcess;
  /** How many calls of `start` are under way: a server that does not serve yet is no broken one then. */
  #starts = 0;

  constructor(place: DatastorePlace) {
    this.#place = place;
    this.#serverDir = join(place.dataDir, 'server');
    this.#adminFile = join(place.dataDir, 'admin.json');
    this.#socketDir = socketFolder(place, SOCKET);
    this.#server = new ServerProcess({
      runDir: place.runDir,
      serverDir: this.#serverDir,
      lockFile: join(place.runDir, 'mysqld.pid'),
      account: effectiveAccount(place),
    });
  }

  async initialise(): Promise<void> {
    const account = effectiveAccount(this.#place);
    makePrivateFolder(this.#place.dataDir, account);
    const adminPassword = keepAdminPassword(this.#adminFile, account);
    await initialiseMysql({
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

  async stop(): Promise<void> {
    await this.#server.stop('SIGTERM');
    if (this.#socketDir !== this.#place.runDir) rmSync(this.#socketDir, { recursive: true, force: true });
  }

  async status(): ReturnType<Datastore['status']> {
    if (this.#server.find() === undefined) return this.#starts > 0 ? 'starting' : 'stopped';
    if (await this.#serves()) return 'healthy';
    return this.#starts > 0 ? 'starting' : 'broken';
  }

  incarnation(): string | null {
    const identity = this.#server.find();
    return identity === undefined ? null : `${identity.pid} ${identity.started}`;
  }

  async createDatabases(databases: readonly DatabaseSpec[]): Promise<void> {
    await this.#withConnection((connection) => createMysqlDatabases(connection, databases));
  }

  async deleteDatabase(name: string): Promise<void> {
    await this.#withConnection((connection) => deleteMysqlDatabase(connection, name));
  }

  async listDatabases(page: PageRequest): Promise<Page<DatabaseSpec>> {
    return this.#withConnection((connection) => listMysqlDatabases(connection, page));
  }

  async createUsers(users: readonly UserSpec[]): Promise<void> {
    await this.#withConnection((connection) => createMysqlUsers(connection, users));
  }

  async ensureUsers(users: readonly UserSpec[]): Promise<void> {
    await this.#withConnection((connection) => ensureMysqlUsers(connection, users));
  }

  async listUsers(page: PageRequest): Promise<Page<UserInfo>> {
    return this.#withConnection((connection) => listMysqlUsers(connection, page));
  }

  async #startServer(): Promise<void> {
    makeSocketFolder(this.#socketDir, effectiveAccount(this.#place));
    const identity =
      this.#server.find() ?? this.#server.spawn(mysqlServerProgram(this.#place.installation), this.#serverOptions());
    await waitUntilHealthy(this.#server, identity, () => this.#serves());
  }

  async #serves(): Promise<boolean> {
    try {
      await this.#withConnection((connection) => connection.query<RowDataPacket[]>('SELECT 1'));
      return true;
    } catch (error) {
      const cause = error instanceof TroveError ? error.cause : undefined;
      const refused = cause instanceof Error && 'errno' in cause && cause.errno === 1045;
      if (refused) throw new TroveError('GUEST_ERROR', 'The database server does not know the agent.', { cause });
      return false;
    }
  }

  async #withConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    let connection: Connection | undefined;
    try {
      connection = await createConnection({
        socketPath: join(this.#socketDir, SOCKET),
        user: ADMIN_USER,
        password: readAdminPassword(this.#adminFile).reveal(),
        charset: 'utf8mb4',
        connectTimeout: CONNECT_TIMEOUT_MS,
      });
      return await work(connection);
    } catch (error) {
      throw translateMysqlError(error);
    } finally {
      connection?.destroy();
    }
  }

  #serverOptions(): string[] {
    const { address, port, runDir } = this.#place;
    return [
      '--no-defaults',
      `--datadir=${this.#serverDir}`,
      `--socket=${join(this.#socketDir, SOCKET)}`,
      `--pid-file=${join(runDir, 'mysqld.pid')}`,
      `--bind-address=${address}`,
      `--port=${port}`,
      '--skip-name-resolve',
      '--local-infile=OFF',
      '--character-set-server=utf8mb4',
      '--performance-schema=OFF',
      '--innodb-buffer-pool-size=64M',
      '--loose-mysqlx=OFF',
    ];
  }
}
