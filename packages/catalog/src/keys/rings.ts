import { hkdfSha256, type Secret } from '@trove/common';
import type { Ring } from './at_rest.ts';

/** The key-encryption keys of one service, as its configuration has them. */
export interface KeyRings {
  /** `inst_rpc_key_encr_key`. A conductor need not have it. */
  readonly instance: readonly Secret[];
  /** `inst_rpc_uplink_encr_key`; empty: derived from `instance`. */
  readonly uplink: readonly Secret[];
  /** How `instances.encrypted_key` is written. Default v2. */
  readonly format?: 'v2' | 'v1';
}

export function instanceRing(rings: KeyRings): Ring {
  return rings.instance.map((key) => Buffer.from(key.reveal(), 'utf8'));
}

/**
 * Without a key of its own the uplink keys rest under 32 bytes derived from each `inst_rpc_key_encr_key`:
 * HKDF-SHA-256 with salt `trove-rest-v2` and info `uplink`. Those still open once there is one, where that key is known.
 */
export function uplinkRing(rings: KeyRings): Ring {
  const own = rings.uplink.map((key) => Buffer.from(key.reveal(), 'utf8'));
  const derived = instanceRing(rings).map((key) => hkdfSha256(key, 'trove-rest-v2', 'uplink', 32));
  return [...own, ...derived];
}
