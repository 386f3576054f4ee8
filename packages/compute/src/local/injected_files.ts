import { readdirSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { TroveError, writeFileDurably } from '@trove/common';
import type { InjectedFiles } from '../driver.ts';
import { type Account, makeGuestFolder } from './account.ts';
import { readGuestFile } from './guest_file.ts';

const NAME = /^(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$/;

/** Refuses names that would lead outside the server; asked before anything is touched. */
export function checkInjectedNames(files: InjectedFiles): void {
  for (const name of Object.keys(files)) {
    if (!NAME.test(name))
      throw new TroveError('COMPUTE_ERROR', 'An injected file needs an absolute name without "..".');
  }
}

/** Replaces the folder's content by these files, readable to the guest's account only. */
export function writeInjectedFiles(folder: string, files: InjectedFiles, account: Account | undefined): void {
  rmSync(folder, { recursive: true, force: true });
  makeGuestFolder(folder, account);
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    makeFoldersBetween(folder, dirname(path), account);
    writeFileDurably(path, text, account === undefined ? {} : { owner: account });
  }
}

const FILES_AT_MOST = 100;
const FILE_LIMIT = 64 * 1024;

/** The files as they are on the server now. The guest owns them: what has grown out of all measure is `COMPUTE_ERROR`. */
export function readInjectedFiles(folder: string): InjectedFiles {
  // What the agent was writing when it was killed is no file of the server.
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.name.endsWith('.partial'),
  );
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort();
  if (paths.length > FILES_AT_MOST) throw notReadable();
  return Object.fromEntries(paths.map((path) => [`/${relative(folder, path)}`, readBack(path)]));
}

function readBack(path: string): string {
  const text = readGuestFile(path, FILE_LIMIT);
  if (text === undefined) throw notReadable();
  return text;
}

function notReadable(): TroveError {
  return new TroveError('COMPUTE_ERROR', 'The injected files cannot be read back.');
}

function makeFoldersBetween(top: string, folder: string, account: Account | undefined): void {
  if (folder === top) return;
  makeFoldersBetween(top, dirname(folder), account);
  makeGuestFolder(folder, account);
}
