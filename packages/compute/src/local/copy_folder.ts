import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { TroveError } from '@trove/common';

const SYNCED_AT_A_TIME = 16;
const PARTIAL = /^\.([0-9a-f]{8})\.partial$/;
const run = promisify(execFile);

interface Running {
  readonly from: string;
  readonly ending: AbortController;
  /** Where the copy lies; rejects where there is none. */
  readonly ended: Promise<string>;
}

/**
 * Copies of folders beside the places that they are meant for. One goes on when whoever asked for it loses patience, and
 * whoever asks next joins it: a copy that takes longer than one try is there after several. One that failed, or whose
 * process died, begins anew.
 */
export class FolderCopies {
  readonly #running = new Map<string, Running>();

  /**
   * Resolves with the copy, on the disk, for the caller alone to rename. `COMPUTE_ERROR`, retryable, where it failed or
   * another caller has taken it.
   */
  async beside(from: string, place: string, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const present = this.#running.get(place);
    if (present !== undefined && present.from !== from) await this.drop(place);
    const running = this.#running.get(place) ?? this.#begin(from, place);
    const copy = await Promise.race([running.ended, rejectOn(signal)]);
    if (this.#running.get(place) !== running)
      throw new TroveError('COMPUTE_ERROR', 'The volume was copied for somebody else.', { retryable: true });
    this.#running.delete(place);
    return copy;
  }

  /** Ends the copy for this place, if there is one, and removes what there is of it. */
  async drop(place: string): Promise<void> {
    const running = this.#running.get(place);
    this.#running.delete(place);
    running?.ending.abort();
    const copy = await running?.ended.catch(() => undefined);
    if (copy !== undefined) sweep(copy);
  }

  /** Those for places in this folder. */
  async dropIn(folder: string): Promise<void> {
    for (const place of [...this.#running.keys()]) if (dirname(place) === folder) await this.drop(place);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((place) => this.drop(place)));
  }

  #begin(from: string, place: string): Running {
    const ending = new AbortController();
    const running = { from, ending, ended: copyBeside(from, place, ending.signal) };
    this.#running.set(place, running);
    running.ended.catch(() => {
      if (this.#running.get(place) === running) this.#running.delete(place);
    });
    return running;
  }
}

/** Each process has a name of its own for it: the `cp` of one that was killed may be at it still, and harms nothing. */
async function copyBeside(from: string, place: string, signal: AbortSignal): Promise<string> {
  sweepPartials(place);
  const copy = `${place}.${process.pid.toString(16).padStart(8, '0')}.partial`;
  try {
    // Owners, modes and links as they are: `fs.cp` would give everything to us.
    await run('cp', ['-a', from, copy], { signal });
    await syncTree(copy, signal);
    return copy;
  } catch (error) {
    sweep(copy);
    throw new TroveError('COMPUTE_ERROR', 'The volume could not be copied.', { cause: error, retryable: true });
  }
}

async function rejectOn(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw signal.reason;
}

/** Removes what tries for this place have left, but not what another process is at. */
export function sweepPartials(place: string): void {
  const [folder, name] = [dirname(place), basename(place)];
  for (const entry of readdirSync(folder)) {
    const maker = entry.startsWith(name) ? PARTIAL.exec(entry.slice(name.length))?.[1] : undefined;
    if (maker !== undefined && !isOther(Number.parseInt(maker, 16))) sweep(join(folder, entry));
  }
}

/** A process that lives and is not this one. */
function isOther(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
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
