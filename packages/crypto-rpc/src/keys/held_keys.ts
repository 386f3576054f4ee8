import type { Secret } from '@trove/common';

/** One version of a guest's key, as its own file has it. */
export interface HeldKey {
  readonly version: number;
  /** Ki. */
  readonly text: Secret;
  /**
   * Present where it was injected into the server and may do no more than agree on another: until then, milliseconds since
   * 1970 as the catalog counts them.
   */
  readonly bootstrapUntil?: number | undefined;
}

/** What a guest comes back with, whenever it is stopped. */
export interface HeldKeys {
  readonly active: HeldKey;
  /** Agreed on, and not proven by a `hello` yet. */
  readonly pending?: HeldKey | undefined;
}

/** Where a guest keeps its keys. */
export interface HeldKeysFile {
  read(): HeldKeys;
  /** All or nothing, and on the disk when it returns. */
  write(keys: HeldKeys): void;
}

/** Keys that are forgotten with the process. */
export function heldInMemory(active: HeldKey): HeldKeysFile {
  let keys: HeldKeys = { active };
  return {
    read: () => keys,
    write: (changed) => {
      keys = changed;
    },
  };
}
