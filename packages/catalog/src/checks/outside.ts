import { isUuid } from '@trove/common';

/** What a compute driver lists of this deployment; the shape of its `listOwned`. */
export interface OutsideThing {
  readonly kind: 'server' | 'volume' | 'snapshot';
  readonly id: string;
  readonly clientToken: string;
  readonly deploymentId: string;
  readonly instanceId: string;
  /** Of a volume: GB. */
  readonly size?: number;
  /** Of a server. */
  readonly flavorId?: string;
}

/** The broker as its management API shows the vhost of sealed messages. */
export interface BrokerReading {
  /** Names of the accounts that may enter the vhost. */
  readonly accounts: readonly string[];
  readonly queues: readonly BrokerQueue[];
}

export interface BrokerQueue {
  readonly name: string;
  readonly messages: number;
  readonly consumers: number;
}

const GUEST_ACCOUNT = 'guest-';
const GUEST_QUEUE = 'guest.';

/** The instance that an account is named for; undefined for anybody else's. */
export function instanceOfAccount(user: string): string | undefined {
  return namedFor(user, GUEST_ACCOUNT);
}

/** The instance that a queue is named for; undefined for any other. */
export function instanceOfQueue(queue: string): string | undefined {
  return namedFor(queue, GUEST_QUEUE);
}

function namedFor(name: string, prefix: string): string | undefined {
  const id = name.slice(prefix.length);
  return name.startsWith(prefix) && isUuid(id) ? id : undefined;
}
