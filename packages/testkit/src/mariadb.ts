import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { findBinary } from './find_binary.ts';
import { freePorts } from './free_ports.ts';
import { giveTo, serverAccount } from './host_account.ts';
import type { OwnServer } from './running_server.ts';
import { run, startServerProcess, waitUntilReady } from './server_process.ts';
import { type ServerTls, type ServerTlsFiles, writeServerTls } from './server_tls.ts';

export interface MariadbBinaries {
  server: string;
  install: string;
}

export function findMariadb(): MariadbBinaries | undefined {
  const server = findBinary('mariadbd');
  const install = findBinary('mariadb-install-db');
  return server && install ? { server, install } : undefined;
}

export interface DatabaseOptions {
  readonly tls?: ServerTls & { versions?: string };
  /** It keeps a binary log under this id, so that others may follow it. Absent: it keeps none. */
  readonly serverId?: number;
  /** Of the account `trove`; random unless given. */
  readonly password?: string;
}

/** A database server of its own: data folder, socket and port; nothing it holds is meant to outlast the tests. */
export async function startMariadb(
  binaries: MariadbBinaries,
  { tls, serverId, password = randomBytes(12).toString('hex') }: DatabaseOptions = {},
): Promise<OwnServer> {
  const account = serverAccount(['mysql']);
  const folder = await mkdtemp(join(tmpdir(), 'trove-mariadb-'));
  const [port = 0] = await freePorts(1);
  const initFile = join(folder, 'init.sql');
  const grant = `GRANT ALL ON *.* TO 'trove'@'127.0.0.1' IDENTIFIED BY '${password}' WITH GRANT OPTION;\n`;
  await writeFile(initFile, grant, { mode: 0o600 });
  await giveTo(account, folder, initFile);
  const tlsArguments = tls === undefined ? [] : tlsSettings(await writeServerTls(folder, tls, account), tls);
  const data = join(folder, 'data');
  // A starting MariaDB removes every `#sql*` of its folder for temporary files, another server's too.
  const env = { ...process.env, TMPDIR: folder };
  const install = ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db'];
  await run(binaries.install, [...install, '--skip-name-resolve'], { env, cwd: folder, account });
  const options = {
    command: binaries.server,
    args: [
      '--no-defaults',
      `--datadir=${data}`,
      `--socket=${join(folder, 'server.sock')}`,
      `--pid-file=${join(folder, 'server.pid')}`,
      `--port=${port}`,
      `--init-file=${initFile}`,
      '--bind-address=127.0.0.1',
      '--skip-name-resolve',
      '--character-set-server=utf8mb4',
      '--collation-server=utf8mb4_general_ci',
      '--max-connections=1000',
      '--performance-schema=OFF',
      '--innodb-buffer-pool-size=128M',
      '--innodb-log-file-size=32M',
      '--innodb-flush-log-at-trx-commit=2',
      ...(serverId === undefined ? ['--skip-log-bin'] : binaryLog(serverId)),
      ...tlsArguments,
    ],
    env,
    cwd: folder,
    account,
    logFile: join(folder, 'server.log'),
  };
  let server = startServerProcess(options);
  const stop = async (): Promise<void> => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  const url = `mysql://trove:${password}@127.0.0.1:${port}`;
  const ready = (): Promise<void> => waitUntilReady('MariaDB', server, () => answers(url), 60_000);
  try {
    await ready();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...{ url, description: `MariaDB from ${binaries.server}`, stop },
    running: () => server.running(),
    signal: (signal) => server.signal(signal),
    ended: () => server.ended(),
    async startAgain() {
      server = startServerProcess(options);
      await ready();
    },
  };
}

/** With what it takes from the server that it follows itself, so that it may be followed in its turn. */
function binaryLog(serverId: number): string[] {
  return ['--log-bin=binlog', `--server-id=${serverId}`, '--binlog-format=ROW', '--log-slave-updates'];
}

function tlsSettings(files: ServerTlsFiles, { versions }: { versions?: string }): string[] {
  const given = [`--ssl-ca=${files.ca}`, `--ssl-cert=${files.cert}`, `--ssl-key=${files.key}`];
  return versions === undefined ? given : [...given, `--tls-version=${versions}`];
}

async function answers(url: string): Promise<boolean> {
  try {
    const connection = await createConnection(url);
    await connection.query('SELECT 1');
    await connection.end();
    return true;
  } catch {
    return false;
  }
}
