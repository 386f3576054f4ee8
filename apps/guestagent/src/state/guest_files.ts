import { chownSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileDurably } from '@trove/common';

/** The agent's own small files in one folder of the volume: kept by a rebuild, synced before a write returns. */
export class GuestFiles {
  readonly #folder: string;
  readonly #owner: { readonly uid: number; readonly gid: number } | undefined;

  constructor(folder: string, owner: { readonly uid: number; readonly gid: number } | null) {
    this.#folder = folder;
    this.#owner = process.getuid?.() === 0 && owner !== null ? owner : undefined;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (this.#owner !== undefined) chownSync(folder, this.#owner.uid, this.#owner.gid);
  }

  get folder(): string {
    return this.#folder;
  }

  read(name: string): string | undefined {
    try {
      return readFileSync(join(this.#folder, name), 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  write(name: string, text: string): void {
    writeFileDurably(join(this.#folder, name), text, this.#owner === undefined ? {} : { owner: this.#owner });
  }

  remove(name: string): void {
    rmSync(join(this.#folder, name), { force: true });
  }
}
