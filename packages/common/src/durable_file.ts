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
 * the disk when the call returns. A link that somebody put in its place is replaced, never followed.
 */
export function writeFileDurably(path: string, text: string, options: DurableFileOptions = {}): void {
  const partial = `${path}.${process.pid}.partial`;
  const mode = options.mode ?? 0o600;
  rmSync(partial, { force: true });
  const file = openSync(partial, 'wx', mode);
  try {
    fchmodSync(file, mode);
    if (options.owner !== undefined) fchownSync(file, options.owner.uid, options.owner.gid);
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(partial, path);
  syncFolder(dirname(path));
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
