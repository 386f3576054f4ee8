import { isUuid } from '@trove/common';
import type { Permissions, TopicPermission } from '../bus/memory_accounts.ts';
import { guestQueue, REPLY_EXCHANGE, UP_EXCHANGE } from './topology.ts';

const PREFIX = 'guest-';
const MARK = 'trove.deployment.';

/** What the broker lets a guest's account do; expressions as RabbitMQ takes them. */
export interface GuestWalls {
  readonly permissions: Permissions;
  /** By exchange. */
  readonly topics: Readonly<Record<string, TopicPermission>>;
  readonly maxConnections: number;
  readonly maxChannels: number;
}

/** No name at all: the broker takes the empty text for `^$`, which a newline passes. */
const NOTHING = '^\\z';
/** One connection, and one that the broker has not missed yet. */
const MAX_CONNECTIONS = 2;
const MAX_CHANNELS = 6;

/** The guest's broker account: its name is what the broker vouches for as `user_id`. */
export function guestAccount(instanceId: string): string {
  return `${PREFIX}${instanceId}`;
}

/** Whether this is the name of some guest's account. */
export function isGuestAccount(user: string): boolean {
  return user.startsWith(PREFIX) && isUuid(user.slice(PREFIX.length));
}

/**
 * What says on the broker which deployment made an account: a topic permission, which lets nothing through, on an exchange that
 * nobody has. A tag of the account would say it too, but it can only be written together with the password, and taskmanagers
 * of earlier releases close an account that has one.
 */
export function deploymentMark(deploymentId: string): { readonly exchange: string; readonly topic: TopicPermission } {
  return { exchange: `${MARK}${deploymentId}`, topic: { write: NOTHING, read: NOTHING } };
}

/** The deployments whose marks are among the exchanges of an account's topic permissions. */
export function deploymentsIn(exchanges: readonly string[]): readonly string[] {
  return exchanges.filter((name) => name.startsWith(MARK)).map((name) => name.slice(MARK.length));
}

/** Declares nothing, reads its own queue, writes reports and answers under its own routing keys. Never the default exchange. */
export function guestWalls(instanceId: string): GuestWalls {
  const id = escaped(instanceId);
  const shard = escaped(instanceId.slice(0, 1));
  return {
    permissions: {
      configure: NOTHING,
      write: exactly(`(${escaped(UP_EXCHANGE)}|${escaped(REPLY_EXCHANGE)})`),
      read: exactly(escaped(guestQueue(instanceId))),
    },
    topics: {
      [UP_EXCHANGE]: { write: exactly(`(hb\\.${shard}|ev)\\.${id}`), read: NOTHING },
      [REPLY_EXCHANGE]: { write: exactly(`r\\.[0-9a-f]{16}\\.${id}`), read: NOTHING },
    },
    maxConnections: MAX_CONNECTIONS,
    maxChannels: MAX_CHANNELS,
  };
}

/** `\z` and not `$`: Erlang's `$` lets a newline at the end through. */
function exactly(expression: string): string {
  return `^${expression}\\z`;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
