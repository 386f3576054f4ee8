import type { GuestFiles } from './guest_files.ts';

export type PrepareState = 'none' | 'begun' | 'failed' | 'done';

/** How far `prepare` came on this volume, in files named as Trove's guests name theirs. */
export class PrepareMarkers {
  readonly #files: GuestFiles;

  constructor(files: GuestFiles) {
    this.#files = files;
  }

  state(): PrepareState {
    if (this.#files.read('prepare.end') !== undefined) return 'done';
    if (this.#files.read('prepare.failed') !== undefined) return 'failed';
    return this.#files.read('prepare.start') === undefined ? 'none' : 'begun';
  }

  begin(): void {
    this.#files.write('prepare.start', '');
    this.#files.remove('prepare.failed');
  }

  end(): void {
    this.#files.write('prepare.end', '');
  }

  fail(): void {
    this.#files.write('prepare.failed', '');
  }
}
