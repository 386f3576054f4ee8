import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { type BreakableServer, breakable } from './breakable_servers.ts';
import { findMariadb, type MariadbBinaries, startMariadb } from './mariadb.ts';
import { dumpDatabases, loadDump } from './mysql_dumps.ts';

/** A database server whose place another can take, which has followed it. `url` is that of the present one. */
export interface FollowedDatabase extends BreakableServer {
  /** Starts a server that has these databases as the present one had them so many seconds ago; resolves when it follows. */
  follow(options: { readonly databases: readonly string[]; readonly behindS: number }): Promise<void>;
  /** The present one dies as by `kill` and never comes back; the one that follows takes its place with what it has by then. */
  failOver(): Promise<void>;
}

const FOLLOWS_WITHIN_MS = 60_000;

export async function followedDatabase(): Promise<FollowedDatabase> {
  const binaries = findMariadb();
  if (binaries === undefined) throw new Error('outage tests need mariadb-server on this machine');
  return new Replicated(binaries, await startServer(binaries, 1));
}

interface Server extends BreakableServer {
  readonly id: number;
}

async function startServer(binaries: MariadbBinaries, id: number, password?: string): Promise<Server> {
  const server = await startMariadb(binaries, { serverId: id, ...(password !== undefined && { password }) });
  return { ...breakable(server), id };
}

class Replicated implements FollowedDatabase {
  readonly #binaries: MariadbBinaries;
  #present: Server;
  #follower: Server | undefined;

  constructor(binaries: MariadbBinaries, first: Server) {
    this.#binaries = binaries;
    this.#present = first;
  }

  get url(): string {
    return this.#present.url;
  }

  freeze(): void {
    this.#present.freeze();
  }

  thaw(): void {
    this.#present.thaw();
  }

  kill(): Promise<void> {
    return this.#present.kill();
  }

  start(): Promise<void> {
    return this.#present.start();
  }

  async follow({ databases, behindS }: Parameters<FollowedDatabase['follow']>[0]): Promise<void> {
    await this.#follower?.dispose();
    const { id, url } = this.#present;
    const { hostname, port, username, password } = new URL(url);
    const follower = await startServer(this.#binaries, id + 1, password);
    this.#follower = follower;
    const folder = await mkdtemp(join(tmpdir(), 'trove-dump-'));
    const file = join(folder, 'dump.sql');
    try {
      await dumpDatabases({ url, databases, withLogPosition: true }, file);
      const from = `MASTER_HOST='${hostname}', MASTER_PORT=${port}, MASTER_USER='${username}', MASTER_PASSWORD='${password}'`;
      await ask(follower.url, `CHANGE MASTER TO ${from}, MASTER_DELAY=${behindS}, MASTER_USE_GTID=no`);
      // It ends the description above with file and position.
      await loadDump(follower.url, file);
      await ask(follower.url, 'START SLAVE');
      await follows(follower.url);
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  async failOver(): Promise<void> {
    const [old, next] = [this.#present, this.#follower];
    if (next === undefined) throw new Error('nobody follows');
    await old.kill();
    await ask(next.url, 'STOP SLAVE');
    await ask(next.url, 'RESET SLAVE ALL');
    this.#present = next;
    this.#follower = undefined;
    await old.dispose();
  }

  async dispose(): Promise<void> {
    await Promise.all([this.#present.dispose(), this.#follower?.dispose()]);
  }
}

async function ask(url: string, statement: string): Promise<RowDataPacket[]> {
  const connection = await createConnection(url);
  try {
    const [rows] = await connection.query<RowDataPacket[]>(statement);
    return rows;
  } finally {
    await connection.end();
  }
}

async function follows(url: string): Promise<void> {
  const end = performance.now() + FOLLOWS_WITHIN_MS;
  for (;;) {
    const [status] = await ask(url, 'SHOW SLAVE STATUS');
    const isRunning = status?.['Slave_IO_Running'] === 'Yes' && status['Slave_SQL_Running'] === 'Yes';
    if (isRunning && status['Seconds_Behind_Master'] !== null) return;
    if (performance.now() > end) {
      const said = ['Last_IO_Error', 'Last_SQL_Error'].map((name) => String(status?.[name] ?? ''));
      throw new Error(`the second server does not follow: ${said.join(' ')}`);
    }
    await delay(200);
  }
}
