import { type Secret, TroveError } from '@trove/common';
import type { Knex } from 'knex';
import { dbNow } from '../database_time.ts';
import type { InstanceKeyRow, InstanceRow } from '../tables.ts';
import { versionAtRest } from './at_rest.ts';
import { openInstanceKey, openKeyRow, sealInstanceKey, sealKeyRow } from './guest_key.ts';
import type { KeyRings } from './rings.ts';

/** Ki goes with the row: what is retired opens nothing any more. */
const RETIRED = { state: 'retired', sealed_key: '', uplink: '', exclusive_since: null } as const;

interface KeyOfInstance {
  readonly instanceId: string;
  readonly version: number;
}

export interface FencedKey extends KeyOfInstance {
  readonly fence: bigint;
}

export interface PendingKey extends FencedKey {
  /** Ki. */
  readonly instanceKey: Secret;
  readonly uplinkKey: Secret<Buffer>;
  /** The key check value, 12 hex digits. */
  readonly kcv: string;
}

/** The version after the newest that this instance ever had; 1 for the first, 2 after a key that Trove made. */
export async function nextKeyVersion(tx: Knex, instanceId: string): Promise<number> {
  const row: { newest?: number | null } | undefined = await tx('instance_keys')
    .where({ instance_id: instanceId })
    .max({ newest: 'version' })
    .first();
  return Math.max(row?.newest ?? 0, (await activeKeyVersion(tx, instanceId)) ?? 0) + 1;
}

/** The version of the active key; null where the instance has none. */
export async function activeKeyVersion(tx: Knex, instanceId: string): Promise<number | null> {
  const active = await keyRow(tx, instanceId, 'active');
  if (active !== undefined) return active.version;
  const instance = await tx<InstanceRow>('instances').where({ id: instanceId, deleted: 0 }).first('encrypted_key');
  return instance?.encrypted_key ? versionAtRest(instance.encrypted_key) : null;
}

/** The version of the pending key; null where there is none. */
export async function pendingKeyVersion(tx: Knex, instanceId: string): Promise<number | null> {
  return (await keyRow(tx, instanceId, 'pending'))?.version ?? null;
}

/** Stores a new version beside the active one; a pending one from before is retired. Policy 2 is part of how it is sealed. */
export async function storePendingKey(tx: Knex.Transaction, rings: KeyRings, key: PendingKey): Promise<void> {
  await requireFence(tx, key.instanceId, key.fence);
  await tx<InstanceKeyRow>('instance_keys').where({ instance_id: key.instanceId, state: 'pending' }).update(RETIRED);
  const row = { instance_id: key.instanceId, version: key.version, policy: 2 };
  await tx<InstanceKeyRow>('instance_keys').insert({
    ...row,
    ...sealKeyRow(rings, row, key),
    state: 'pending',
    kcv: key.kcv,
  });
}

/**
 * From now on the pending key alone is accepted: its guest's old server has been stopped. Rejects with `CONFLICT` where
 * there is no such pending key: the old ways would stay open.
 */
export async function acceptOnlyPendingKey(tx: Knex.Transaction, key: FencedKey): Promise<void> {
  await requireFence(tx, key.instanceId, key.fence);
  const closed = await tx('instance_keys')
    .where({ instance_id: key.instanceId, version: key.version, state: 'pending' })
    .update({ exclusive_since: dbNow(tx) });
  if (closed === 0) throw noPendingKey();
}

/**
 * The pending key becomes the instance's: one conditional UPDATE sets `encrypted_key` and raises `rpc_policy`. Does nothing
 * where this version is active already. Rejects with `STALE_FENCE` where another worker has the instance, with `CONFLICT`
 * where there is no such pending key.
 */
export async function activateKey(tx: Knex.Transaction, rings: KeyRings, key: FencedKey): Promise<void> {
  const { instanceId, version, fence } = key;
  const row = await tx<InstanceKeyRow>('instance_keys').where({ instance_id: instanceId, version }).first();
  if (row?.state === 'active') return requireFence(tx, instanceId, fence);
  if (row?.state !== 'pending') throw noPendingKey();
  const raised = await tx('instances')
    .where({ id: instanceId, deleted: 0, fence: String(fence) })
    .andWhere('rpc_policy', '<=', row.policy)
    .update({
      encrypted_key: sealInstanceKey(rings, instanceId, { version, policy: row.policy, text: openKeyRow(rings, row) }),
      rpc_policy: row.policy,
    });
  if (raised === 0) throw staleFence();
  await tx<InstanceKeyRow>('instance_keys').where({ instance_id: instanceId, state: 'active' }).update(RETIRED);
  await tx<InstanceKeyRow>('instance_keys')
    .where({ instance_id: instanceId, version })
    .update({ state: 'active', exclusive_since: null });
}

/** An upgrade is undone before its key became the instance's: the old key, or none, counts again. No pending key is success. */
export async function revokePendingKey(
  tx: Knex.Transaction,
  args: { instanceId: string; fence: bigint },
): Promise<void> {
  await requireFence(tx, args.instanceId, args.fence);
  await tx<InstanceKeyRow>('instance_keys').where({ instance_id: args.instanceId, state: 'pending' }).update(RETIRED);
}

/** No key of this instance opens anything any more. */
export async function retireKeys(tx: Knex.Transaction, args: { instanceId: string; fence: bigint }): Promise<void> {
  await requireFence(tx, args.instanceId, args.fence);
  await tx('instances').where({ id: args.instanceId }).update({ encrypted_key: null });
  await tx<InstanceKeyRow>('instance_keys').where({ instance_id: args.instanceId }).update(RETIRED);
}

/** Erases the keys of an instance that is deleted, or that the catalog does not have. False where there was none, or it lives. */
export async function eraseDeadKeys(tx: Knex.Transaction, instanceId: string): Promise<boolean> {
  const living = await tx<InstanceRow>('instances').where({ id: instanceId, deleted: 0 }).first('id');
  if (living !== undefined) return false;
  const erased = await tx<InstanceKeyRow>('instance_keys')
    .where({ instance_id: instanceId })
    .whereNot({ state: 'retired' })
    .update(RETIRED);
  return erased > 0;
}

/** Ki of a live key and its version, for the file of the server that is being made; undefined where there is no such key. */
export async function readInstanceKey(
  executor: Knex,
  rings: KeyRings,
  instanceId: string,
  state: 'active' | 'pending',
): Promise<{ instanceKey: Secret; version: number } | undefined> {
  if (state === 'pending') {
    const row = await keyRow(executor, instanceId, 'pending');
    return row && { instanceKey: openKeyRow(rings, row), version: row.version };
  }
  const instance = await executor<InstanceRow>('instances')
    .where({ id: instanceId, deleted: 0 })
    .first('id', 'encrypted_key', 'rpc_policy');
  if (!instance?.encrypted_key) return undefined;
  const version = (await activeKeyVersion(executor, instanceId)) ?? 1;
  return { instanceKey: openInstanceKey(rings, { ...instance, encrypted_key: instance.encrypted_key }), version };
}

/** The key check value of a live key, 12 hex digits; undefined where there is none of this version. */
export async function readKeyCheckValue(executor: Knex, key: KeyOfInstance): Promise<string | undefined> {
  const row = await executor<InstanceKeyRow>('instance_keys')
    .where({ instance_id: key.instanceId, version: key.version })
    .whereIn('state', ['active', 'pending'])
    .first('kcv');
  return row?.kcv;
}

async function keyRow(
  executor: Knex,
  instanceId: string,
  state: InstanceKeyRow['state'],
): Promise<InstanceKeyRow | undefined> {
  return await executor<InstanceKeyRow>('instance_keys').where({ instance_id: instanceId, state }).first();
}

async function requireFence(tx: Knex.Transaction, instanceId: string, fence: bigint): Promise<void> {
  const query = tx('instances')
    .where({ id: instanceId, deleted: 0, fence: String(fence) })
    .first('id');
  const row: unknown = await query.forUpdate();
  if (row === undefined) throw staleFence();
}

function noPendingKey(): TroveError {
  return new TroveError('CONFLICT', 'The instance has no pending key of this version.');
}

function staleFence(): TroveError {
  return new TroveError('STALE_FENCE', 'The instance is worked on by another task.');
}
