import type { Secret } from '@trove/common';
import type { Permissions, TopicPermission, Topology } from '@trove/crypto-rpc';

/** An account as the broker has it. */
export interface AccountFacts {
  readonly hasPassword: boolean;
  /** Anything but none would let it into the management API. */
  readonly tags: readonly string[];
  /** In the vhost of sealed messages; absent: no access. */
  readonly permissions?: Permissions;
  /** Other vhosts that it may enter. */
  readonly otherVhosts: readonly string[];
  /** By exchange. */
  readonly topics: Readonly<Record<string, TopicPermission>>;
  readonly maxConnections?: number;
  readonly maxChannels?: number;
}

/**
 * The broker's own administration, one act per call, each of which may be repeated. Rejects with `BUS_UNAVAILABLE`
 * (retryable) while it does not answer, `RPC_REFUSED` where it says no. What an implementation cannot do it leaves out.
 */
export interface BrokerAdmin {
  readAccount(user: string): Promise<AccountFacts | undefined>;
  /** Without a password nobody can log in; without tags in any case. */
  putUser(user: string, password: Secret | undefined): Promise<void>;
  putTopicPermission(user: string, exchange: string, permission: TopicPermission): Promise<void>;
  putLimits(user: string, limits: { readonly maxConnections: number; readonly maxChannels: number }): Promise<void>;
  putPermissions(user: string, permissions: Permissions): Promise<void>;
  leaveVhost(user: string, vhost: string): Promise<void>;
  /** Also ends its connections. */
  deleteUser(user: string): Promise<void>;
  /** Whether queue and bindings are there, as they should be. */
  hasQueue(topology: Topology): Promise<boolean>;
  putQueue(topology: Topology): Promise<void>;
  deleteQueue(name: string): Promise<void>;
  close(): Promise<void>;
}
