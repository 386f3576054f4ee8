import { type Clock, type Secret, systemClock, TroveError } from '@trove/common';
import type { Knex } from 'knex';
import { toBigintOrNull } from '../bigint.ts';
import type { Catalog } from '../catalog.ts';
import { dbNow } from '../database_time.ts';
import type { InstanceKeyRow, InstanceReportRow, InstanceRow } from '../tables.ts';
import { type KeyedInstance, openInstanceKey, openKeyRow, openUplink, uplinkOf } from './guest_key.ts';
import type { KeyRings } from './rings.ts';

export interface CatalogGuestKey {
  readonly version: number;
  readonly state: 'pending' | 'active';
  /** Present on a key that was injected into a server: within its 30 min it may agree on another, after them nothing. */
  readonly bootstrap?: 'valid' | 'over';
  readonly instanceKey?: Secret;
  readonly uplinkKey: Secret<Buffer>;
}

/** What the catalog says of a guest, in the shape that the RPC layer asks for. */
export interface CatalogGuestPeer {
  readonly instanceId: string;
  readonly policy: 0 | 1 | 2;
  /** The broker account that is the guest's alone, once it counts. */
  readonly account?: string;
  readonly keys: readonly CatalogGuestKey[];
  readonly pendingOnly: boolean;
  readonly quarantined: boolean;
  readonly bootNonce: Buffer | null;
  readonly sequence: bigint | null;
}

export interface CatalogKeyStore {
  /** Undefined for an instance that is not there or deleted. Rejects where a key that should open does not. */
  guestPeer(instanceId: string): Promise<CatalogGuestPeer | undefined>;
  forget(instanceId: string): void;
}

export interface KeyStoreOptions {
  /** A conductor gets uplink keys and never an instance's own key. */
  role: 'taskmanager' | 'conductor';
  clock?: Clock;
}

const CACHED_MS = 5000;
const CACHED_GUESTS = 50_000;

interface Cached {
  readonly peer: Promise<CatalogGuestPeer | undefined>;
  readonly until: number;
}

/** Guests as the catalog has them, cached for 5 s at most. */
export function createKeyStore(catalog: Catalog, rings: KeyRings, options: KeyStoreOptions): CatalogKeyStore {
  const clock = options.clock ?? systemClock;
  const cache = new Map<string, Cached>();

  function load(instanceId: string): Promise<CatalogGuestPeer | undefined> {
    if (cache.size >= CACHED_GUESTS) cache.clear();
    const peer = readPeer(catalog.knex, rings, options.role, instanceId);
    const cached = { peer, until: clock.monotonic() + CACHED_MS };
    cache.set(instanceId, cached);
    // A failure is told to whoever waits for it and to nobody after.
    peer.catch(() => {
      if (cache.get(instanceId) === cached) cache.delete(instanceId);
    });
    return peer;
  }

  return {
    guestPeer(instanceId) {
      const cached = cache.get(instanceId);
      return cached !== undefined && cached.until > clock.monotonic() ? cached.peer : load(instanceId);
    },
    forget(instanceId) {
      cache.delete(instanceId);
    },
  };
}

type LiveRow = InstanceKeyRow & { bootstrap: 'valid' | 'over' | null };

type PeerRow = KeyedInstance & {
  boot_nonce: string | null;
  sequence: InstanceReportRow['sequence'];
  quarantined_at: InstanceReportRow['quarantined_at'];
  account: string | null;
};

async function readPeer(
  knex: Knex,
  rings: KeyRings,
  role: KeyStoreOptions['role'],
  instanceId: string,
): Promise<CatalogGuestPeer | undefined> {
  const instance: PeerRow | undefined = await knex<InstanceRow>('instances')
    .leftJoin('instance_reports', 'instance_reports.instance_id', 'instances.id')
    .leftJoin('resources as account', (join) =>
      join
        .on('account.instance_id', 'instances.id')
        .andOnVal('account.kind', 'broker_account')
        .andOnVal('account.state', 'live'),
    )
    .where({ 'instances.id': instanceId, 'instances.deleted': 0 })
    .first(
      'instances.id',
      'instances.encrypted_key',
      'instances.rpc_policy',
      'instance_reports.boot_nonce',
      'instance_reports.sequence',
      'instance_reports.quarantined_at',
      'account.external_id as account',
    );
  if (instance === undefined) return undefined;
  const live: LiveRow[] = await knex('instance_keys')
    .where({ instance_id: instanceId })
    .whereIn('state', ['active', 'pending'])
    .orderBy('version')
    .select(
      '*',
      knex.raw(
        "CASE WHEN bootstrap_until > ? THEN 'valid' WHEN bootstrap_until IS NOT NULL THEN 'over' END AS bootstrap",
        [dbNow(knex)],
      ),
    );
  const pendingOnly = live.some((row) => row.state === 'pending' && row.exclusive_since !== null);
  // What an earlier rotation left is of the server that was stopped.
  const rows = live.filter((row) => row.state === 'active' || !pendingOnly || row.exclusive_since !== null);
  // The ratchet: a policy below that of the live key was lowered by somebody, and then nothing is said or heard.
  if (rows.some((row) => row.state === 'active' && row.policy > instance.rpc_policy))
    throw new TroveError('INTERNAL', `The policy of instance ${instanceId} is below that of its key.`);
  const open = role === 'taskmanager' ? taskmanagerKey : conductorKey;
  return {
    instanceId,
    policy: policyOf(instance.rpc_policy),
    ...(instance.account !== null && { account: instance.account }),
    keys: [...adoptedKeys(rings, role, instance, rows), ...rows.map((row) => open(rings, instance, row))],
    pendingOnly,
    quarantined: instance.quarantined_at !== null,
    bootNonce: instance.boot_nonce === null ? null : Buffer.from(instance.boot_nonce, 'hex'),
    sequence: toBigintOrNull(instance.sequence),
  };
}

function taskmanagerKey(rings: KeyRings, instance: KeyedInstance, row: LiveRow): CatalogGuestKey {
  const sealed = instance.encrypted_key;
  const instanceKey =
    row.state === 'active' && sealed !== null
      ? openInstanceKey(rings, { ...instance, encrypted_key: sealed })
      : openKeyRow(rings, row);
  return { ...standing(row), instanceKey, uplinkKey: uplinkOf(instanceKey, row.policy) };
}

function conductorKey(rings: KeyRings, _instance: KeyedInstance, row: LiveRow): CatalogGuestKey {
  return { ...standing(row), uplinkKey: openUplink(rings, row) };
}

function standing({ version, state, bootstrap }: LiveRow): Pick<CatalogGuestKey, 'version' | 'state' | 'bootstrap'> {
  return { version, state: state === 'pending' ? 'pending' : 'active', ...(bootstrap !== null && { bootstrap }) };
}

/** A key that Trove made has no row among the versions until one is written: then what a conductor needs comes from Ki itself. */
function adoptedKeys(
  rings: KeyRings,
  role: KeyStoreOptions['role'],
  instance: KeyedInstance,
  rows: readonly InstanceKeyRow[],
): CatalogGuestKey[] {
  const sealed = instance.encrypted_key;
  if (sealed === null || instance.rpc_policy !== 1 || rows.some((row) => row.state === 'active')) return [];
  if (role === 'conductor' && rings.instance.length === 0) return [];
  const instanceKey = openInstanceKey(rings, { ...instance, encrypted_key: sealed });
  const uplinkKey = uplinkOf(instanceKey, instance.rpc_policy);
  return [{ version: 1, state: 'active', uplinkKey, ...(role === 'taskmanager' ? { instanceKey } : {}) }];
}

function policyOf(value: number): 0 | 1 | 2 {
  if (value === 0 || value === 1 || value === 2) return value;
  throw new RangeError(`rpc_policy ${value} is not one that this release knows`);
}
