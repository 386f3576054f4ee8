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

/** All of the broker that concerns guests, as it was at about one moment. */
export interface BrokerFacts {
  /** Guests' accounts by name, whoever made them. */
  readonly accounts: ReadonlyMap<string, AccountFacts>;
  /** In the vhost of sealed messages. */
  readonly queueNames: ReadonlySet<string>;
  /** Whether queues and bindings are there. */
  readonly hasQueue: (topology: Topology) => boolean;
}

/**
 * The broker's own administration, one act per call, each of which may be repeated. Rejects with `BUS_UNAVAILABLE`
 * (retryable) while it does not answer, `RPC_REFUSED` where it says no. What an implementation cannot do it leaves out.
 */
export interface BrokerAdmin {
  readAccount(user: string): Promise<AccountFacts | undefined>;
  /** What `readAccount` and `hasQueue` say of every guest, for the price of a few of them. */
  readAll(signal?: AbortSignal): Promise<BrokerFacts>;
  /** The deployments whose mark each guest's account has, by account; what no deployment has marked is left out. */
  readMarks(signal?: AbortSignal): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Without a password nobody can log in; without tags in any case. */
  putUser(user: string, password: Secret | undefined): Promise<void>;
  /** Rejects where there is no such account, as the next two do: what is removed meanwhile does not come back by half. */
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
