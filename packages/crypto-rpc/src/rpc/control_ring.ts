import { controlKey, controlKeyVersion } from '../keys/derive.ts';
import type { ControlKeys } from './types.ts';

export interface RootKey {
  readonly rootKey: Buffer;
  readonly keyVersion: number;
}

export interface ControlRing {
  /** The one that seals; undefined: the control plane speaks in clear. */
  readonly first: RootKey | undefined;
  readonly find: (keyVersion: number) => Buffer | undefined;
}

/** The root keys of K1's ring. */
export function controlRing(keys: ControlKeys): ControlRing {
  const ring = keys.ring.map((text) => ({
    rootKey: controlKey(text.reveal()),
    keyVersion: controlKeyVersion(text.reveal()),
  }));
  return { first: ring[0], find: (version) => ring.find((key) => key.keyVersion === version)?.rootKey };
}
