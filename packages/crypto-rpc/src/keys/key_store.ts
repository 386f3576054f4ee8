import type { Secret } from '@trove/common';

/** The ratchet `instances.rpc_policy`: 0 plaintext, 1 v1, 2 v2. It chooses the codec; nobody lowers it. */
export type RpcPolicy = 0 | 1 | 2;

/** One version of one guest's key, as far as this service may know it. */
export interface GuestKey {
  readonly version: number;
  readonly state: 'pending' | 'active';
  /** Present on a key that was injected into a server: within its 30 min it may agree on another, after them nothing. */
  readonly bootstrap?: 'valid' | 'over';
  /** Ki, the text in the guest's file: known to a taskmanager only. */
  readonly instanceKey?: Secret;
  /** Kup (32 bytes), or for a v1 peer the 32 hex characters of its cipher key: all that a conductor knows. */
  readonly uplinkKey: Secret<Buffer>;
}

/** What the catalog says of a guest. */
export interface GuestPeer {
  readonly instanceId: string;
  readonly policy: RpcPolicy;
  /** The broker account that its sealed messages must come from; absent while it shares one with others. */
  readonly account?: string;
  /** The keys that are live: at most one active, an injected one that is pending, and the ones that were agreed on. */
  readonly keys: readonly GuestKey[];
  /**
   * True between "old server stopped" and the end of an upgrade: only its pending keys are accepted and used, nothing in
   * clear or under an older version.
   */
  readonly pendingOnly: boolean;
  /** True: two guests spoke under its key. Nothing is taken from it or asked of it until an operator lifts that. */
  readonly quarantined?: boolean;
  /** As the last `hello` told it; null until then. */
  readonly bootNonce: Buffer | null;
  /** The watermark of reports; null until the first `hello`. */
  readonly sequence: bigint | null;
}

/** Where the taskmanager and the conductor get their peers from. May cache for 5 s at most; `forget` drops one at once. */
export interface KeyStore {
  guestPeer(instanceId: string): Promise<GuestPeer | undefined>;
  forget(instanceId: string): void;
}
