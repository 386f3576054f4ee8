import {
  acceptOnlyPendingKey,
  activateKey,
  activeKeyVersion,
  type Catalog,
  type CatalogKeyStore,
  type KeyRings,
  nextKeyVersion,
  pendingKeyVersion,
  readInstanceKey,
  readKeyCheckValue,
  retireKeys,
  revokePendingKey,
  storePendingKey,
} from '@trove/catalog';
import { randomText, Secret, TroveError } from '@trove/common';
import { keyCheckValue, uplinkKey } from '@trove/crypto-rpc';
import type { TaskKind } from '@trove/tasks';

/** So that it fits Trove's file: characters of `[A-Za-z0-9]`. */
const KEY_LENGTH = 32;

/** A transaction of the catalog. */
export type Transaction = Parameters<TaskKind['onDone']>[0];

interface Fenced {
  readonly instanceId: string;
  readonly fence: bigint;
}

/**
 * The keys of guests, as tasks handle them: made here, at rest in the catalog, shown to nobody but the server that is being
 * made. Each write is conditional on the task's fence and rejects with `STALE_FENCE` where that has passed.
 */
export interface GuestKeys {
  /** The version of the active key; null where the instance has none. */
  activeVersion(tx: Transaction, instanceId: string): Promise<number | null>;
  /** Makes an instance's first key, active at once, and raises its policy to 2. */
  makeFirst(tx: Transaction, args: Fenced): Promise<number>;
  /** Makes the next version, pending; the one that is pending already where there is one. */
  makePending(tx: Transaction, args: Fenced): Promise<number>;
  /** From here on nothing but the pending key is accepted, nothing in clear. */
  excludeOthers(tx: Transaction, args: Fenced & { readonly version: number }): Promise<void>;
  /** The pending key becomes the instance's; policy and key move in one UPDATE. */
  activate(tx: Transaction, args: Fenced & { readonly version: number }): Promise<void>;
  /** The old key, or none, counts again. No pending key is success. */
  revokePending(tx: Transaction, args: Fenced): Promise<void>;
  /** No key of this instance opens anything any more. */
  retireAll(tx: Transaction, args: Fenced): Promise<void>;
  /** Ki for the file of the server that is being made. */
  textOf(instanceId: string, state: 'active' | 'pending'): Promise<{ text: Secret; version: number }>;
  /** 12 hex digits; undefined where there is no live key of this version. */
  checkValueOf(instanceId: string, version: number): Promise<string | undefined>;
  /** What is cached of this guest is read again. Called after each commit that changes it. */
  forget(instanceId: string): void;
}

/** Keys at rest in the catalog, under this taskmanager's key-encryption keys. */
export function createGuestKeys(deps: {
  catalog: Catalog;
  rings: KeyRings;
  keyStore: Pick<CatalogKeyStore, 'forget'>;
}): GuestKeys {
  const { catalog, rings, keyStore } = deps;

  const storeNew = async (tx: Transaction, { instanceId, fence }: Fenced): Promise<number> => {
    if (rings.instance.length === 0)
      throw new TroveError('CONFIG_INVALID', 'inst_rpc_key_encr_key is not set: no key can be stored.');
    const version = await nextKeyVersion(tx, instanceId);
    const text = randomText(KEY_LENGTH);
    const key = { instanceKey: new Secret(text), uplinkKey: new Secret(uplinkKey(text)), kcv: keyCheckValue(text) };
    await storePendingKey(tx, rings, { instanceId, fence, version, ...key });
    return version;
  };

  return {
    activeVersion: activeKeyVersion,
    async makeFirst(tx, args) {
      const version = await storeNew(tx, args);
      await activateKey(tx, rings, { ...args, version });
      return version;
    },
    async makePending(tx, args) {
      return (await pendingKeyVersion(tx, args.instanceId)) ?? (await storeNew(tx, args));
    },
    excludeOthers: acceptOnlyPendingKey,
    activate: (tx, args) => activateKey(tx, rings, args),
    revokePending: revokePendingKey,
    retireAll: retireKeys,
    async textOf(instanceId, state) {
      const key = await readInstanceKey(catalog.knex, rings, instanceId, state);
      if (key === undefined) throw new TroveError('INTERNAL', 'The key of the instance is not in the catalog.');
      return { text: key.instanceKey, version: key.version };
    },
    checkValueOf: (instanceId, version) => readKeyCheckValue(catalog.knex, { instanceId, version }),
    forget: (instanceId) => keyStore.forget(instanceId),
  };
}
