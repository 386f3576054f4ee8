import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, lchownSync, lstatSync, mkdirSync } from 'node:fs';
import { TroveError } from '@trove/common';

/** Whom databases and agents run as. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const LAST_RESORT = 'nobody';

/**
 * The account for guests while we are root: `name`, made as a system account where `useradd` exists, else `nobody`.
 * Undefined where we are not root: guests then run as we do.
 */
export function guestAccount(name: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return findAccount(name) ?? makeAccount(name) ?? findAccount(LAST_RESORT);
}

function findAccount(name: string): Account | undefined {
  try {
    const ask = (option: string): number =>
      Number(execFileSync('id', [option, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    return { name, uid: ask('-u'), gid: ask('-g') };
  } catch {
    return undefined;
  }
}

function makeAccount(name: string): Account | undefined {
  const options = [
    '--system',
    '--user-group',
    '--no-create-home',
    '--home-dir',
    '/nonexistent',
    '--shell',
    '/usr/sbin/nologin',
  ];
  const made = spawnSync('useradd', [...options, name], {
    stdio: 'ignore',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  return made.status === 0 ? findAccount(name) : undefined;
}

/** Makes a folder that only the guest's account may enter. A link in its place is refused: the guest may have put it there. */
export function makeGuestFolder(path: string, account: Account | undefined): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (!lstatSync(path).isDirectory()) throw new TroveError('COMPUTE_ERROR', 'A folder of the server is a link.');
  chmodSync(path, 0o700);
  if (account !== undefined) lchownSync(path, account.uid, account.gid);
}
