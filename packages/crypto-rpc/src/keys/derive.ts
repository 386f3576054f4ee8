import { createHash, createSecretKey, type KeyObject } from 'node:crypto';
import { hkdfSha256, hmacSha256 } from '@trove/common';

const SALT = 'trove-rpc-v2';

/** Kup, 32 bytes: guest → conductor. All that a conductor may know of Ki. */
export function uplinkKey(instanceKey: string): Buffer {
  return hkdfSha256(instanceKey, SALT, 'uplink', 32);
}

/** Kdn, 32 bytes: taskmanager ↔ guest, both ways. The conductor never has it. */
export function downlinkKey(instanceKey: string): Buffer {
  return hkdfSha256(instanceKey, SALT, 'downlink', 32);
}

/** Kc, 32 bytes: api ↔ taskmanager. */
export function controlKey(controlPlaneKey: string): Buffer {
  return hkdfSha256(controlPlaneKey, SALT, 'control', 32);
}

/** The version that names a key of K1's ring in a header: the first 4 bytes of a MAC under it. */
export function controlKeyVersion(controlPlaneKey: string): number {
  return hmacSha256(controlPlaneKey, 'trove-k1-id').readUInt32BE(0);
}

/** The key check value: 12 hex digits. */
export function keyCheckValue(instanceKey: string): string {
  return hmacSha256(instanceKey, 'kcv').subarray(0, 6).toString('hex');
}

/** What a conductor may know of a v1 peer's key: its cipher key, the 32 ASCII characters of the key's hex MD5. */
export function legacyCipherKey(instanceKey: string): Buffer {
  return Buffer.from(createHash('md5').update(instanceKey, 'utf8').digest('hex'), 'ascii');
}

/**
 * The keys of one session in one direction between two parties. As key objects: Node takes five times as long to start a
 * cipher or a MAC from a buffer.
 */
export interface SessionKeys {
  readonly sealKey: KeyObject;
  readonly nonceKey: KeyObject;
  readonly commitment: Buffer;
}

/**
 * @param rootKey Kup, Kdn or Kc
 * @param sender,receiver the 17 bytes of a party
 * @param session 32 random bytes of the sender
 */
export function sessionKeys(rootKey: Buffer, sender: Buffer, receiver: Buffer, session: Buffer): SessionKeys {
  const direction = hkdfSha256(rootKey, SALT, Buffer.concat([Buffer.from('direction'), sender, receiver]), 32);
  const keys = hkdfSha256(direction, session, 'session', 96);
  return {
    sealKey: createSecretKey(keys.subarray(0, 32)),
    nonceKey: createSecretKey(keys.subarray(32, 64)),
    commitment: keys.subarray(64, 96),
  };
}
