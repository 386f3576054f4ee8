import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { TroveError } from '@trove/common';

const SYNCED_AT_A_TIME = 16;
const PARTIAL = /^\.[0-9a-f]{8}\.partial$/;
const run = promisify(execFile);

/**
 * A copy of the folder beside the place that it is meant for, on the disk when the call returns, for the caller to rename.
 * Each try has a name of its own: the `cp` of a try whose process was killed may be at it still, and harms nothing.
 */
export async function copyBeside(from: string, place: string, signal: AbortSignal): Promise<string> {
  sweepPartials(place);
  const copy = `${place}.${randomBytes(4).toString('hex')}.partial`;
  try {
    // Owners, modes and links as they are: `fs.cp` would give everything to us.
    await run('cp', ['-a', from, copy], { signal });
    await syncTree(copy, signal);
    return copy;
  } catch (error) {
    sweep(copy);
    signal.throwIfAborted();
    throw new TroveError('COMPUTE_ERROR', 'The volume could not be copied.', { cause: error, retryable: true });
  }
}

/** Removes what tries for this place have left. */
export function sweepPartials(place: string): void {
  const [folder, name] = [dirname(place), basename(place)];
  for (const entry of readdirSync(folder)) {
    if (entry.startsWith(name) && PARTIAL.test(entry.slice(name.length))) sweep(join(folder, entry));
  }
}

/** One that a `cp` without a parent is still filling may resist; it goes the next time. */
function sweep(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOTEMPTY')) throw error;
  }
}

/** Every file and folder below, and the folder itself. Links lie in their folders; anything else holds no data. */
async function syncTree(folder: string, signal: AbortSignal): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile() || entry.isDirectory());
  const waiting = [folder, ...paths.map((entry) => join(entry.parentPath, entry.name))];
  const worker = async (): Promise<void> => {
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      signal.throwIfAborted();
      const file = await open(path, 'r');
      try {
        await file.sync();
      } finally {
        await file.close();
      }
    }
  };
  await Promise.all(Array.from({ length: SYNCED_AT_A_TIME }, worker));
}
