import { existsSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Secret, TroveError, writeFileDurably } from '@trove/common';
import type { Installation } from '../driver.ts';
import { ADMIN_USER } from '../server/admin_account.ts';
import { findProgram, programFolders } from '../server/find_program.ts';
import { type Account, makePrivateFolder } from '../server/folders.ts';
import { runProgram } from '../server/run_program.ts';
import { mysqlServerProgram } from './installations.ts';

export interface InitialiseRequest {
  readonly installation: Installation;
  /** Where the data goes; appears at once, whole and with the accounts made. */
  readonly serverDir: string;
  readonly adminPassword: Secret;
  readonly account: Account | undefined;
}

/** Makes the data folder beside its place and renames it there, so that a crash leaves none rather than half of one. */
export async function initialiseMysql(request: InitialiseRequest): Promise<void> {
  const { installation, serverDir, account } = request;
  if (existsSync(serverDir)) return;
  const partial = `${serverDir}.partial`;
  rmSync(partial, { recursive: true, force: true });
  makePrivateFolder(partial, account);
  await (installation.manager === 'mariadb'
    ? initialiseMariadb(request, partial)
    : initialiseOracleMysql(request, partial));
  renameSync(partial, serverDir);
}

async function initialiseMariadb(request: InitialiseRequest, partial: string): Promise<void> {
  const { installation, account } = request;
  const folders = [
    installation.binDir,
    join(installation.binDir, '../bin'),
    join(installation.binDir, '../scripts'),
    ...programFolders(),
  ];
  const installer = findProgram('mariadb-install-db', folders) ?? findProgram('mysql_install_db', folders);
  if (installer === undefined)
    throw new TroveError('GUEST_ERROR', 'The program mariadb-install-db is missing on this machine.');
  const cwd = dirname(partial);
  const options = ['--no-defaults', `--datadir=${partial}`, '--skip-test-db', '--skip-name-resolve'];
  await runProgram(installer, [...options, '--auth-root-authentication-method=normal'], { cwd, account });
  const bootstrap = [
    '--no-defaults',
    '--bootstrap',
    `--datadir=${partial}`,
    '--innodb-buffer-pool-size=16M',
    '--log-warnings=0',
  ];
  const input = [`FLUSH PRIVILEGES;`, ...accountStatements(request.adminPassword), ...dropMariadbDefaults(), ''].join(
    '\n',
  );
  await runProgram(mysqlServerProgram(installation), bootstrap, { cwd, account, input });
}

/** `--initialize` runs the init file inside, so root never exists with an empty password on a server that listens. */
async function initialiseOracleMysql(request: InitialiseRequest, partial: string): Promise<void> {
  const { installation, account } = request;
  const cwd = dirname(partial);
  const initFile = `${partial}.sql`;
  try {
    writeFileDurably(
      initFile,
      [...accountStatements(request.adminPassword), `DROP USER IF EXISTS 'root'@'localhost';`, ''].join('\n'),
      account === undefined ? {} : { owner: account },
    );
    const options = ['--no-defaults', '--initialize-insecure', `--datadir=${partial}`, `--init-file=${initFile}`];
    await runProgram(mysqlServerProgram(installation), options, { cwd, account });
  } finally {
    rmSync(initFile, { force: true });
  }
}

/** The password is letters and digits only, so it needs no escaping here. */
function accountStatements(adminPassword: Secret): string[] {
  return [
    `CREATE USER '${ADMIN_USER}'@'localhost' IDENTIFIED BY '${adminPassword.reveal()}';`,
    `GRANT ALL PRIVILEGES ON *.* TO '${ADMIN_USER}'@'localhost' WITH GRANT OPTION;`,
  ];
}

function dropMariadbDefaults(): string[] {
  return [
    `DELETE FROM mysql.global_priv WHERE User IN ('root', '', 'mysql');`,
    `DELETE FROM mysql.proxies_priv;`,
    `FLUSH PRIVILEGES;`,
  ];
}
