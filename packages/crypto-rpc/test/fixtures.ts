import { randomUUID } from 'node:crypto';
import { randomText, Secret, silentLogger } from '@trove/common';
import type { Bus } from '../src/bus/bus.ts';
import { legacyCipherKey, uplinkKey } from '../src/keys/derive.ts';
import { type HeldKeysFile, heldInMemory } from '../src/keys/held_keys.ts';
import type { GuestPeer, KeyStore, RpcPolicy } from '../src/keys/key_store.ts';
import { createGuestClient } from '../src/rpc/guest_client.ts';
import type { RefusalReason } from '../src/rpc/refusal.ts';
import type { GuestClient, GuestHandlers } from '../src/rpc/types.ts';

export const CONTROL_EXCHANGE = 'trove';
export const logger = silentLogger;

export interface AddedGuest {
  readonly instanceId: string;
  readonly instanceKey: string;
  /** What its agent has. */
  readonly keys: HeldKeysFile;
}

/** A catalog of peers that a test fills. */
export class PeerTable implements KeyStore {
  readonly peers = new Map<string, GuestPeer>();
  forgotten = 0;

  async guestPeer(instanceId: string): Promise<GuestPeer | undefined> {
    return this.peers.get(instanceId);
  }

  forget(): void {
    this.forgotten += 1;
  }

  /** A guest of this policy, with a key if it has one. */
  add(policy: RpcPolicy, more: Partial<GuestPeer> = {}): AddedGuest {
    const instanceId = more.instanceId ?? randomUUID();
    const instanceKey = randomText(32);
    const uplink = policy === 1 ? legacyCipherKey(instanceKey) : uplinkKey(instanceKey);
    const key = {
      version: 1,
      state: 'active',
      instanceKey: new Secret(instanceKey),
      uplinkKey: new Secret(uplink),
    } as const;
    const keys = policy === 0 ? [] : [key];
    this.peers.set(instanceId, {
      instanceId,
      policy,
      keys,
      pendingOnly: false,
      bootNonce: null,
      sequence: null,
      ...more,
    });
    return { instanceId, instanceKey, keys: firstKey(instanceKey) };
  }

  change(instanceId: string, change: Partial<GuestPeer>): void {
    const peer = this.peers.get(instanceId);
    if (peer === undefined) throw new Error('no such peer');
    this.peers.set(instanceId, { ...peer, ...change });
  }
}

/** A guest's first key. */
export function firstKey(text: string): HeldKeysFile {
  return heldInMemory({ version: 1, text: new Secret(text) });
}

/** Collects reasons of refusal. */
export function refusals(): { reasons: RefusalReason[]; onRefused: (reason: RefusalReason) => void } {
  const reasons: RefusalReason[] = [];
  return { reasons, onRefused: (reason) => void reasons.push(reason) };
}

/** Says hello and stores what it learns, as a taskmanager does. */
export async function greet(client: GuestClient, table: PeerTable, instanceId: string): Promise<void> {
  const { bootNonce, sequence } = await client.hello(instanceId, { deadlineMs: 20_000 });
  table.change(instanceId, { bootNonce, sequence });
}

export function guestClient(bus: Bus, keyStore: KeyStore, onRefused?: (reason: RefusalReason) => void): GuestClient {
  return createGuestClient({
    sealedBus: bus,
    legacyBus: bus,
    keyStore,
    controlExchange: CONTROL_EXCHANGE,
    logger,
    ...(onRefused === undefined ? {} : { onRefused }),
  });
}

/** Handlers that answer something plausible; a test replaces those that it looks at. */
export function guestHandlers(replaced: Partial<GuestHandlers> = {}): GuestHandlers {
  return {
    rpc_ping: async () => true,
    prepare: async () => ({ accepted: true }),
    get_outcome: async () => ({ state: 'unknown' }),
    get_filesystem_stats: async () => ({ block_size: 1, total_blocks: 2, free_blocks: 1, total: 2, free: 1, used: 1 }),
    create_database: async () => null,
    delete_database: async () => null,
    list_databases: async () => [[{ _name: 'foo20' }], null],
    create_user: async () => null,
    list_users: async () => [[], null],
    restart: async () => null,
    pre_upgrade: async () => ({}),
    post_upgrade: async () => null,
    ...replaced,
  };
}

/** Waits until it holds; fails after 40 s. */
export async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 40_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error('it did not come to hold within 40 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
