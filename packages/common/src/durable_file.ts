import { closeSync, fchmodSync, fchownSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export interface DurableFileOptions {
  /** Default 0o600. */
  readonly mode?: number;
  /** Whose the file becomes; only root may say so. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/**
 * Puts text into a file so that a crash at any moment leaves the old content or the new, never a part, and that it is on
 * the disk when the call returns. A link that somebody put in its place is replaced, never followed. Where it throws, as on a
 * full disk, the old content stays and nothing is left beside it.
 */
export function writeFileDurably(path: string, text: string, options: DurableFileOptions = {}): void {
  const partial = `${path}.${process.pid}.partial`;
  const mode = options.mode ?? 0o600;
  rmSync(partial, { force: true });
  try {
    writeSynced(partial, text, { ...options, mode });
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
  syncFolder(dirname(path));
}

function writeSynced(
  path: string,
  text: string,
  { mode, owner }: DurableFileOptions & { readonly mode: number },
): void {
  const file = openSync(path, 'wx', mode);
  try {
    fchmodSync(file, mode);
    if (owner !== undefined) fchownSync(file, owner.uid, owner.gid);
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Puts on the disk what was made, renamed or removed in a folder. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
