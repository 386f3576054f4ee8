import { existsSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Secret, writeFileDurably } from '@trove/common';
import type { Installation } from '../driver.ts';
import { ADMIN_USER } from '../server/admin_account.ts';
import { type Account, makePrivateFolder } from '../server/folders.ts';
import { runProgram } from '../server/run_program.ts';
import { ensureLibraryLinks } from './libraries.ts';

export interface InitialiseRequest {
  readonly installation: Installation;
  /** Where the data goes; appears at once, whole and with the account made. */
  readonly serverDir: string;
  readonly adminPassword: Secret;
  readonly account: Account | undefined;
}

/** The agent's account comes in over the socket only; everybody needs a password, everywhere. */
const HOST_BASED_AUTHENTICATION = `local all all scram-sha-256
host all ${ADMIN_USER} all reject
host all all all scram-sha-256
`;

/** Makes the data folder beside its place and renames it there, so that a crash leaves none rather than half of one. */
export async function initialisePostgres(request: InitialiseRequest): Promise<void> {
  const { installation, serverDir, account } = request;
  if (existsSync(serverDir)) return;
  ensureLibraryLinks(installation.binDir);
  const partial = `${serverDir}.partial`;
  rmSync(partial, { recursive: true, force: true });
  makePrivateFolder(partial, account);
  const owner = account === undefined ? {} : { owner: account };
  const passwordFile = `${partial}.password`;
  try {
    writeFileDurably(passwordFile, request.adminPassword.reveal(), owner);
    const locale = process.platform === 'linux' ? 'C.UTF-8' : 'C';
    const options = [
      '-D',
      partial,
      '-U',
      ADMIN_USER,
      '-A',
      'scram-sha-256',
      `--pwfile=${passwordFile}`,
      '-E',
      'UTF8',
      `--locale=${locale}`,
    ];
    await runProgram(join(installation.binDir, 'initdb'), options, { cwd: dirname(partial), account });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  writeFileDurably(join(partial, 'pg_hba.conf'), HOST_BASED_AUTHENTICATION, owner);
  renameSync(partial, serverDir);
}
