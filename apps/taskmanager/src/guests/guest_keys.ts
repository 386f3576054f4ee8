import {
  acceptOnlyPendingKey,
  activateKey,
  activeKeyVersion,
  agreedKeyVersion,
  beginBootstrap,
  type Catalog,
  type CatalogKeyStore,
  injectedKeyVersion,
  isBootstrapKey,
  type KeyRings,
  leftKeyVersion,
  nextKeyVersion,
  type PendingKey,
  readInstanceKey,
  readKeyCheckValue,
  retireKeys,
  revokePendingKeys,
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

interface FencedVersion extends Fenced {
  readonly version: number;
}

/** Ki as it goes into a server's files. */
export interface InjectedKey {
  readonly text: Secret;
  readonly version: number;
  /** Until when it opens anything, milliseconds since 1970; absent: a key that was agreed on. */
  readonly bootstrapUntil?: number | undefined;
}

/**
 * The keys of guests, as tasks handle them: made here or agreed with the guest, at rest in the catalog, shown to nobody but
 * the server that is being made. Each write is conditional on the task's fence and rejects with `STALE_FENCE` where that has
 * passed.
 */
export interface GuestKeys {
  /** The version of the active key; null where the instance has none. */
  activeVersion(executor: Catalog['knex'], instanceId: string): Promise<number | null>;
  /** Makes an instance's first key, active at once, and raises its policy to 2. It opens no more than agreeing on another. */
  makeFirst(tx: Transaction, args: Fenced): Promise<number>;
  /** Makes the key for a server that is rebuilt, pending; the one that is there already where there is one. */
  makeInjected(tx: Transaction, args: Fenced): Promise<number>;
  /** Takes the key into the files of a server that is about to be made. Its 30 min begin. */
  inject(tx: Transaction, args: FencedVersion): Promise<InjectedKey>;
  /** Whether this key may do no more than agree on another. */
  isBootstrap(instanceId: string, version: number): Promise<boolean>;
  /** The version after all that this instance ever had. */
  nextVersion(instanceId: string): Promise<number>;
  /** The pending version that was agreed on under this one; null where there is none. */
  agreedVersion(instanceId: string, under: number): Promise<number | null>;
  /** The pending version that a rotation which was given up has left, and maybe the guest's; null where there is none. */
  leftVersion(instanceId: string): Promise<number | null>;
  /** Stores what was agreed with the guest, pending, in place of what was agreed under the same version before. */
  storeAgreed(tx: Transaction, args: FencedVersion & { readonly under: number; readonly text: Secret }): Promise<void>;
  /** From here on nothing but pending keys from this one on are accepted, nothing in clear. */
  excludeOthers(tx: Transaction, args: FencedVersion): Promise<void>;
  /** The pending key becomes the instance's, all others are retired; policy and key move in one UPDATE. */
  activate(tx: Transaction, args: FencedVersion): Promise<void>;
  /** The key that was made for a rebuilt server is gone, and what was agreed on under it; the old key, or none, counts again. */
  revokePending(tx: Transaction, args: Fenced & { readonly version: number | undefined }): Promise<void>;
  /** No key of this instance opens anything any more. */
  retireAll(tx: Transaction, args: Fenced): Promise<void>;
  /** Ki. Rejects where there is no live key of this version. */
  textOf(instanceId: string, which: 'active' | number): Promise<{ text: Secret; version: number }>;
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

  const store = async (
    tx: Transaction,
    { instanceId, fence, version }: FencedVersion,
    text: Secret,
    origin: Pick<PendingKey, 'injected' | 'under'>,
  ): Promise<void> => {
    if (rings.instance.length === 0)
      throw new TroveError('CONFIG_INVALID', 'inst_rpc_key_encr_key is not set: no key can be stored.');
    const uplink = new Secret(uplinkKey(text.reveal()));
    const key = { instanceKey: text, uplinkKey: uplink, kcv: keyCheckValue(text.reveal()) };
    await storePendingKey(tx, rings, { instanceId, fence, version, ...key, ...origin });
  };

  const storeNew = async (tx: Transaction, args: Fenced): Promise<number> => {
    const version = await nextKeyVersion(tx, args.instanceId);
    await store(tx, { ...args, version }, new Secret(randomText(KEY_LENGTH)), { injected: true });
    return version;
  };

  const readText = async (
    executor: Transaction | Catalog['knex'],
    instanceId: string,
    which: 'active' | number,
  ): Promise<{ text: Secret; version: number }> => {
    const key = await readInstanceKey(executor, rings, instanceId, which);
    if (key === undefined) throw new TroveError('INTERNAL', 'The key of the instance is not in the catalog.');
    return { text: key.instanceKey, version: key.version };
  };

  return {
    activeVersion: activeKeyVersion,
    async makeFirst(tx, args) {
      const version = await storeNew(tx, args);
      await activateKey(tx, rings, { ...args, version });
      return version;
    },
    async makeInjected(tx, args) {
      return (await injectedKeyVersion(tx, args.instanceId)) ?? (await storeNew(tx, args));
    },
    async inject(tx, args) {
      const bootstrapUntil = (await beginBootstrap(tx, args)) ?? undefined;
      return { ...(await readText(tx, args.instanceId, args.version)), bootstrapUntil };
    },
    isBootstrap: (instanceId, version) => isBootstrapKey(catalog.knex, { instanceId, version }),
    nextVersion: (instanceId) => nextKeyVersion(catalog.knex, instanceId),
    agreedVersion: (instanceId, under) => agreedKeyVersion(catalog.knex, instanceId, under),
    leftVersion: (instanceId) => leftKeyVersion(catalog.knex, instanceId),
    storeAgreed: (tx, { under, text, ...args }) => store(tx, args, text, { under }),
    excludeOthers: acceptOnlyPendingKey,
    activate: (tx, args) => activateKey(tx, rings, args),
    revokePending: (tx, { version, ...args }) => revokePendingKeys(tx, { ...args, from: version }),
    retireAll: retireKeys,
    textOf: (instanceId, which) => readText(catalog.knex, instanceId, which),
    checkValueOf: (instanceId, version) => readKeyCheckValue(catalog.knex, { instanceId, version }),
    forget: (instanceId) => keyStore.forget(instanceId),
  };
}
