import { type Secret, TroveError } from '@trove/common';
import type { Knex } from 'knex';
import { toBigint } from '../bigint.ts';
import { dbNow } from '../database_time.ts';
import type { InstanceKeyRow, InstanceRow } from '../tables.ts';
import { versionAtRest } from './at_rest.ts';
import { openInstanceKey, openKeyRow, sealInstanceKey, sealKeyRow } from './guest_key.ts';
import { forgetOwed, owePassword } from './owed.ts';
import type { KeyRings } from './rings.ts';

/** Ki goes with the row: what is retired opens nothing any more. */
const RETIRED = {
  state: 'retired',
  sealed_key: '',
  uplink: '',
  exclusive_since: null,
  bootstrap_until: null,
} as const;

/** How long a key that was injected into a server opens anything at all. */
const BOOTSTRAP_MICROS = 30 * 60 * 1_000_000;

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
  /** It goes into the files of a server: it opens `hello` and `rotate_key`, for 30 min. Absent: agreed with the guest. */
  readonly injected?: true;
  /** The version under which it was agreed. Absent: 0. */
  readonly under?: number;
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
  const active = await tx<InstanceKeyRow>('instance_keys').where({ instance_id: instanceId, state: 'active' }).first();
  if (active !== undefined) return active.version;
  const instance = await tx<InstanceRow>('instances').where({ id: instanceId, deleted: 0 }).first('encrypted_key');
  return instance?.encrypted_key ? versionAtRest(instance.encrypted_key) : null;
}

/** The version of the pending key that is meant for a server's files; null where there is none. */
export async function injectedKeyVersion(tx: Knex, instanceId: string): Promise<number | null> {
  const row = await pendingKeys(tx, instanceId).whereNotNull('bootstrap_until').first('version');
  return row?.version ?? null;
}

/** The version of the pending key that was agreed on under version `under`; null where there is none. */
export async function agreedKeyVersion(tx: Knex, instanceId: string, under: number): Promise<number | null> {
  const row = await agreedKeys(tx, instanceId, under).first('version');
  return row?.version ?? null;
}

/**
 * The version of the pending key that a rotation which was given up has left: its guest may have changed to it. Null where there
 * is none, and while an upgrade has pending keys of its own.
 */
export async function leftKeyVersion(tx: Knex, instanceId: string): Promise<number | null> {
  const pending = await pendingKeys(tx, instanceId).orderBy('version', 'desc');
  const isUpgrades = pending.some((row) => row.bootstrap_until !== null || row.exclusive_since !== null);
  return isUpgrades ? null : (pending[0]?.version ?? null);
}

/**
 * Stores a new version beside the active one; policy 2 is part of how it is sealed. An injected key takes the place of the
 * injected one that is pending, an agreed key that of those agreed under the same version: its guest has confirmed that it
 * keeps none of them; the password that goes with it is owed to the broker. Where only the key that it was agreed under is
 * accepted, it is accepted too.
 */
export async function storePendingKey(tx: Knex.Transaction, rings: KeyRings, key: PendingKey): Promise<void> {
  const { instanceId, version, under = 0, injected = false } = key;
  await requireFence(tx, instanceId, key.fence);
  const old = await tx<InstanceKeyRow>('instance_keys').where({ instance_id: instanceId, version: under }).first();
  const replaced = injected
    ? pendingKeys(tx, instanceId).whereNotNull('bootstrap_until')
    : agreedKeys(tx, instanceId, under);
  await replaced.update(RETIRED);
  const row = { instance_id: instanceId, version, policy: 2 };
  await tx('instance_keys').insert({
    ...row,
    ...sealKeyRow(rings, row, key),
    state: 'pending',
    kcv: key.kcv,
    exclusive_since: old?.exclusive_since ?? null,
    bootstrap_until: injected ? afterNow(tx) : null,
  });
  if (!injected) await owePassword(tx, key);
}

/**
 * An injected key's 30 min begin now: it is about to be injected. Returns when they are over, milliseconds since 1970 of the
 * database; null for a key without such an end.
 */
export async function beginBootstrap(tx: Knex.Transaction, key: FencedKey): Promise<number | null> {
  await requireFence(tx, key.instanceId, key.fence);
  const where = { instance_id: key.instanceId, version: key.version };
  await tx('instance_keys')
    .where(where)
    .whereNotNull('bootstrap_until')
    .update({ bootstrap_until: afterNow(tx) });
  const row = await tx<InstanceKeyRow>('instance_keys').where(where).first('bootstrap_until');
  const until = row?.bootstrap_until ?? null;
  return until === null ? null : Number(toBigint(until) / 1000n);
}

/** Whether the key of this version is one that was injected and may no more than agree on another. */
export async function isBootstrapKey(executor: Knex, { instanceId, version }: KeyOfInstance): Promise<boolean> {
  const row = await executor<InstanceKeyRow>('instance_keys')
    .where({ instance_id: instanceId, version })
    .whereNotNull('bootstrap_until')
    .first('version');
  return row !== undefined;
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
 * The pending key becomes the instance's, and all others are retired: one conditional UPDATE sets `encrypted_key` and raises `rpc_policy`. Does nothing
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
  await tx<InstanceKeyRow>('instance_keys').where({ instance_id: instanceId }).whereNot({ version }).update(RETIRED);
  await tx<InstanceKeyRow>('instance_keys')
    .where({ instance_id: instanceId, version })
    .update({ state: 'active', exclusive_since: null });
  await forgetOwed(tx, instanceId, version);
}

/**
 * An upgrade is undone before its key became the instance's: that injected key, version `from`, and what was agreed under it
 * go, and the old key, or none, counts again. Without `from` it is the one that is pending; none is success.
 */
export async function revokePendingKeys(
  tx: Knex.Transaction,
  args: { instanceId: string; fence: bigint; from?: number | undefined },
): Promise<void> {
  await requireFence(tx, args.instanceId, args.fence);
  const from = args.from ?? (await injectedKeyVersion(tx, args.instanceId));
  if (from !== null) await pendingKeys(tx, args.instanceId).andWhere('version', '>=', from).update(RETIRED);
}

/**
 * What upgrades have made for their new servers, with what was agreed on under it: while it is there nobody may ask the guest
 * under the key that counts. For upgrades that nobody goes on with.
 */
export async function retireKeysOfUpgrades(tx: Knex.Transaction): Promise<void> {
  const injected: Pick<InstanceKeyRow, 'instance_id' | 'version'>[] = await tx<InstanceKeyRow>('instance_keys')
    .where({ state: 'pending' })
    .where((either) => void either.whereNotNull('bootstrap_until').orWhereNotNull('exclusive_since'))
    .select('instance_id', 'version');
  for (const { instance_id, version } of injected)
    await tx('instance_keys').where({ instance_id, state: 'pending' }).where('version', '>=', version).update(RETIRED);
}

/** No key of this instance opens anything any more. */
export async function retireKeys(tx: Knex.Transaction, args: { instanceId: string; fence: bigint }): Promise<void> {
  await requireFence(tx, args.instanceId, args.fence);
  await tx('instances').where({ id: args.instanceId }).update({ encrypted_key: null });
  await forgetOwed(tx, args.instanceId);
  await tx<InstanceKeyRow>('instance_keys').where({ instance_id: args.instanceId }).update(RETIRED);
}

/** Erases the keys of an instance that is deleted, or that the catalog does not have. False where there was none, or it lives. */
export async function eraseDeadKeys(tx: Knex.Transaction, instanceId: string): Promise<boolean> {
  const living = await tx<InstanceRow>('instances').where({ id: instanceId, deleted: 0 }).first('id');
  if (living !== undefined) return false;
  await forgetOwed(tx, instanceId);
  const erased = await tx<InstanceKeyRow>('instance_keys')
    .where({ instance_id: instanceId })
    .whereNot({ state: 'retired' })
    .update(RETIRED);
  return erased > 0;
}

/** Ki of a live key and its version: the active one, or that of a version; undefined where there is no such key. */
export async function readInstanceKey(
  executor: Knex,
  rings: KeyRings,
  instanceId: string,
  which: 'active' | number,
): Promise<{ instanceKey: Secret; version: number } | undefined> {
  if (which !== 'active') {
    const row = await pendingKeys(executor, instanceId).andWhere({ version: which }).first();
    if (row !== undefined) return { instanceKey: openKeyRow(rings, row), version: row.version };
  }
  const instance = await executor<InstanceRow>('instances')
    .where({ id: instanceId, deleted: 0 })
    .first('id', 'encrypted_key', 'rpc_policy');
  if (!instance?.encrypted_key) return undefined;
  const version = (await activeKeyVersion(executor, instanceId)) ?? 1;
  if (which !== 'active' && which !== version) return undefined;
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

function pendingKeys(executor: Knex, instanceId: string): Knex.QueryBuilder<InstanceKeyRow, InstanceKeyRow[]> {
  return executor<InstanceKeyRow>('instance_keys').where({ instance_id: instanceId, state: 'pending' });
}

function agreedKeys(
  executor: Knex,
  instanceId: string,
  under: number,
): Knex.QueryBuilder<InstanceKeyRow, InstanceKeyRow[]> {
  return pendingKeys(executor, instanceId).whereNull('bootstrap_until').andWhere('version', '>', under);
}

function afterNow(tx: Knex): Knex.Raw {
  return tx.raw('? + ?', [dbNow(tx), BOOTSTRAP_MICROS]);
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
