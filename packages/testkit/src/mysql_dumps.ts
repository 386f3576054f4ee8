import { rm, writeFile } from 'node:fs/promises';
import { findBinary } from './find_binary.ts';
import { run } from './server_process.ts';

export interface DumpOptions {
  /** Of the server: `mysql://user:password@host:port`. */
  readonly url: string;
  readonly databases: readonly string[];
  /** With the place in the binary log at which it was taken, as `CHANGE MASTER TO`. */
  readonly withLogPosition?: boolean;
}

/** Dumps whole databases as of one moment, without stopping anybody, into a file that `loadDump` reads. */
export async function dumpDatabases(
  { url, databases, withLogPosition = false }: DumpOptions,
  file: string,
): Promise<void> {
  const position = withLogPosition ? ['--master-data=1'] : [];
  const args = ['--single-transaction', '--hex-blob', '--add-drop-database', ...position, `--result-file=${file}`];
  await withAccount(url, file, (account) =>
    run(program('mariadb-dump'), [account, ...args, '--databases', ...databases]),
  );
}

/** Puts back what was dumped, in place of what is there under the same names. */
export async function loadDump(url: string, file: string): Promise<void> {
  await withAccount(url, file, (account) => run(program('mariadb'), [account, `--execute=source ${file}`]));
}

function program(name: string): string {
  const found = findBinary(name);
  if (found === undefined) throw new Error(`this needs ${name} on this machine`);
  return found;
}

/** The password goes by a file: everybody can read arguments. */
async function withAccount(url: string, beside: string, work: (argument: string) => Promise<unknown>): Promise<void> {
  const { hostname, port, username, password } = new URL(url);
  const file = `${beside}.account`;
  const text = `[client]\nhost=${hostname}\nport=${port}\nuser=${username}\npassword=${password}\n`;
  await writeFile(file, text, { mode: 0o600 });
  try {
    await work(`--defaults-extra-file=${file}`);
  } finally {
    await rm(file, { force: true });
  }
}
