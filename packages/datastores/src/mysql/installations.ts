import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Installation } from '../driver.ts';
import { findProgram, programFolders } from '../server/find_program.ts';
import { runProgram } from '../server/run_program.ts';

/** A server program by either name; Debian's `mysqld` is a link to `mariadbd`. */
const PROGRAMS = ['mariadbd', 'mysqld'] as const;

/** Every MySQL and MariaDB on the PATH and in the folders for servers. Which of the two it is, the program itself says. */
export async function findMysqlInstallations(): Promise<readonly Installation[]> {
  const found: Installation[] = [];
  for (const name of PROGRAMS) {
    const program = findProgram(name, programFolders());
    const installation = program === undefined ? undefined : await describe(program);
    if (installation !== undefined && !found.some((other) => other.manager === installation.manager))
      found.push(installation);
  }
  return found;
}

/** The MySQL or MariaDB whose programs are in this folder; undefined where it holds none that runs. */
export async function inspectMysqlFolder(folder: string): Promise<Installation | undefined> {
  const program = findProgram('mariadbd', [folder]) ?? findProgram('mysqld', [folder]);
  return program === undefined ? undefined : describe(program);
}

export function mysqlServerProgram(installation: Installation): string {
  const names = installation.manager === 'mariadb' ? PROGRAMS : (['mysqld'] as const);
  const name = names.find((candidate) => existsSync(join(installation.binDir, candidate))) ?? 'mysqld';
  return join(installation.binDir, name);
}

async function describe(program: string): Promise<Installation | undefined> {
  try {
    const text = await runProgram(program, ['--no-defaults', '--version'], { cwd: '/', timeoutMs: 20_000 });
    const version = /Ver (\d+\.\d+\.\d+)/.exec(text)?.[1];
    if (version === undefined) return undefined;
    return { manager: /mariadb/i.test(text) ? 'mariadb' : 'mysql', version, binDir: dirname(program) };
  } catch {
    return undefined;
  }
}
