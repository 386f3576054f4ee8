import { createHash } from 'node:crypto';
import { hkdfSha256, hmacSha256, Secret } from '@trove/common';
import type { InstanceKeyRow } from '../tables.ts';
import { isV2AtRest, openAsTrove, openAtRest, type Place, sealAsTrove, sealAtRest, versionAtRest } from './at_rest.ts';
import { instanceRing, type KeyRings, uplinkRing } from './rings.ts';

/** The instance's row as far as its key is concerned. */
export interface KeyedInstance {
  readonly id: string;
  readonly encrypted_key: string | null;
  readonly rpc_policy: number;
}

/** Opens `instances.encrypted_key`: ours only under the policy that it was sealed with, Trove's for policies 0 to 2. */
export function openInstanceKey(rings: KeyRings, instance: KeyedInstance & { encrypted_key: string }): Secret {
  const text = instance.encrypted_key;
  if (!isV2AtRest(text)) return new Secret(openAsTrove(instanceRing(rings), text));
  const place = instancePlace(instance.id, versionAtRest(text), instance.rpc_policy);
  return new Secret(openAtRest(instanceRing(rings), place, text).toString('utf8'));
}

/** Ki in the form of `instances.encrypted_key`. */
export function sealInstanceKey(
  rings: KeyRings,
  instanceId: string,
  key: { version: number; policy: number; text: Secret },
): string {
  const ring = instanceRing(rings);
  if (rings.format === 'v1') return sealAsTrove(ring, key.text.reveal());
  return sealAtRest(ring, instancePlace(instanceId, key.version, key.policy), key.text.reveal());
}

/** Ki and Kup in the form of a row of `instance_keys`. */
export function sealKeyRow(
  rings: KeyRings,
  row: Pick<InstanceKeyRow, 'instance_id' | 'version' | 'policy'>,
  key: { instanceKey: Secret; uplinkKey: Secret<Buffer> },
): Pick<InstanceKeyRow, 'sealed_key' | 'uplink'> {
  return {
    sealed_key: sealKeyText(rings, row, key.instanceKey),
    uplink: sealUplink(rings, row, key.uplinkKey),
  };
}

export function sealKeyText(
  rings: KeyRings,
  row: Pick<InstanceKeyRow, 'instance_id' | 'version' | 'policy'>,
  instanceKey: Secret,
): string {
  return sealAtRest(instanceRing(rings), rowPlace(row, 'sealed_key'), instanceKey.reveal());
}

export function sealUplink(
  rings: KeyRings,
  row: Pick<InstanceKeyRow, 'instance_id' | 'version' | 'policy'>,
  uplinkKey: Secret<Buffer>,
): string {
  return sealAtRest(uplinkRing(rings), rowPlace(row, 'uplink'), uplinkKey.reveal());
}

export function openKeyRow(rings: KeyRings, row: InstanceKeyRow): Secret {
  return new Secret(openAtRest(instanceRing(rings), rowPlace(row, 'sealed_key'), row.sealed_key).toString('utf8'));
}

export function openUplink(rings: KeyRings, row: InstanceKeyRow): Secret<Buffer> {
  return new Secret(openAtRest(uplinkRing(rings), rowPlace(row, 'uplink'), row.uplink));
}

/**
 * What a conductor may know of Ki: for a v2 peer 32 bytes by HKDF-SHA-256 with salt `trove-rpc-v2` and info `uplink`, for a
 * v1 peer the 32 ASCII characters of Ki's hex MD5, which are its cipher key.
 */
export function uplinkOf(instanceKey: Secret, policy: number): Secret<Buffer> {
  const text = instanceKey.reveal();
  if (policy >= 2) return new Secret(hkdfSha256(text, 'trove-rpc-v2', 'uplink', 32));
  return new Secret(Buffer.from(createHash('md5').update(text, 'utf8').digest('hex'), 'ascii'));
}

/** The key check value, 12 hex digits: tells one key from another without telling either. */
export function checkValueOf(instanceKey: Secret): string {
  return hmacSha256(instanceKey.reveal(), 'kcv').subarray(0, 6).toString('hex');
}

function instancePlace(instanceId: string, version: number, policy: number): Place {
  return { table: 'instances', column: 'encrypted_key', rowId: instanceId, version, policy };
}

function rowPlace(
  row: Pick<InstanceKeyRow, 'instance_id' | 'version' | 'policy'>,
  column: 'sealed_key' | 'uplink',
): Place {
  return { table: 'instance_keys', column, rowId: row.instance_id, version: row.version, policy: row.policy };
}
