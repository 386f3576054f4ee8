import { isUuid } from '@trove/common';
import { accountToken } from '../operations/broker_accounts.ts';

/** What a compute driver lists of this deployment, in the shape of its `listOwned`; or an account on the broker. */
export interface OutsideThing {
  readonly kind: 'server' | 'volume' | 'snapshot' | 'account';
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
  /** The deployments whose mark an account has, by account; one without is nobody's. */
  readonly marks: Marks;
  readonly queues: readonly BrokerQueue[];
}

export interface BrokerQueue {
  readonly name: string;
  readonly messages: number;
  readonly consumers: number;
}

export type Marks = ReadonlyMap<string, readonly string[]>;

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

/** Guests' accounts that carry this deployment's mark and no other's. */
export function markedAccounts(marks: Marks, deploymentId: string): readonly OutsideThing[] {
  return [...marks].flatMap(([user, deployments]) => {
    const instanceId = instanceOfAccount(user);
    if (instanceId === undefined || !deployments.every((id) => id === deploymentId) || deployments.length === 0)
      return [];
    return { kind: 'account' as const, id: user, clientToken: accountToken(instanceId), deploymentId, instanceId };
  });
}

function namedFor(name: string, prefix: string): string | undefined {
  const id = name.slice(prefix.length);
  return name.startsWith(prefix) && isUuid(id) ? id : undefined;
}
