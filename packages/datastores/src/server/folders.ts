import { chmodSync, lchownSync, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256, TroveError } from '@trove/common';
import type { DatastorePlace } from '../driver.ts';

export type Account = { readonly uid: number; readonly gid: number };

/** The longest path that a Unix socket's address holds is 107 bytes on Linux, 103 on macOS. */
const SOCKET_PATH_LIMIT = 100;

/** The account for what this agent makes: only root may hand things over, others keep them. */
export function effectiveAccount(place: DatastorePlace): Account | undefined {
  return process.getuid?.() === 0 ? place.account : undefined;
}

/** Makes a folder that only the database's account may enter. A link in its place is refused: the account may have put it there. */
export function makePrivateFolder(path: string, account: Account | undefined): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (!lstatSync(path).isDirectory()) throw new TroveError('INTERNAL', 'A folder of the database is a link.');
  chmodSync(path, 0o700);
  if (account !== undefined) lchownSync(path, account.uid, account.gid);
}

/**
 * The folder for the server's socket: the run folder, or where its path is too long for a socket's address, one of its
 * own in the system's temporary folder.
 */
export function socketFolder(place: DatastorePlace, longestName: string): string {
  if (Buffer.byteLength(join(place.runDir, longestName)) <= SOCKET_PATH_LIMIT) return place.runDir;
  return join(tmpdir(), `trove-${sha256(place.runDir).toString('hex').slice(0, 16)}`);
}

/** Makes the socket's folder, and refuses one that somebody else has put there. */
export function makeSocketFolder(folder: string, account: Account | undefined): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  const owners = [process.getuid?.() ?? found.uid, account?.uid];
  if (!found.isDirectory() || !owners.includes(found.uid)) {
    throw new TroveError('INTERNAL', 'The folder for the database socket belongs to somebody else.');
  }
  makePrivateFolder(folder, account);
}
