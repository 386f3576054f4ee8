import { TroveError } from '@trove/common';
import type { GuestFiles } from './guest_files.ts';

const FILE = 'fence';

/** The highest fence that a task has come with: one that comes with less belongs to a worker that was replaced. */
export class Fence {
  readonly #files: GuestFiles;
  #highest: bigint;

  constructor(files: GuestFiles) {
    this.#files = files;
    this.#highest = BigInt(files.read(FILE) ?? '0');
  }

  /** Refuses an older one with `STALE_FENCE`, keeps a newer one. Legacy callers have none. */
  pass(fence: bigint | null): void {
    if (fence === null) return;
    if (fence < this.#highest) throw new TroveError('STALE_FENCE', 'The task was taken over by another worker.');
    if (fence === this.#highest) return;
    this.#files.write(FILE, String(fence));
    this.#highest = fence;
  }
}
