import { type Secret, TroveError } from '@trove/common';
import {
  deploymentMark,
  deploymentsIn,
  type GuestWalls,
  guestAccount,
  guestTopology,
  guestWalls,
  type Topology,
} from '@trove/crypto-rpc';
import type { AccountFacts, BrokerAdmin } from './broker_admin.ts';
import { type Survey, surveyOf } from './survey.ts';

/** Guests' accounts on the broker, with their queues. */
export interface BrokerAccounts {
  /**
   * Makes account and queue, or makes them right, and gives the account this password; then reads back. The door opens
   * last: whatever step a crash leaves out, nobody can log in before the next try has made it. Connections go on.
   */
  make(instanceId: string, password: Secret): Promise<void>;
  /**
   * Makes right what differs, and names it; empty where nothing does. Only a lost account needs its password again: where
   * nobody has it, it stays closed, and `password` is among the names.
   */
  repair(instanceId: string, findPassword: () => Promise<Secret | undefined>): Promise<readonly string[]>;
  /** How all accounts are, read at once: what `repair` would find, without the cost of asking for each. */
  survey(signal?: AbortSignal): Promise<Survey>;
  /** As `repair`, of an account that has its password; one that has none, or is not there, is left alone: somebody is at it. */
  repairWalls(instanceId: string): Promise<readonly string[]>;
  /** Ends the account and with it its connections; the queue stays. Not there is success. */
  cutOff(instanceId: string): Promise<void>;
  /** The queue, then `cutOff`: as long as there is anything left of it, the account is there, which says whose it is. */
  remove(instanceId: string): Promise<void>;
  /** The deployments whose mark each account has, by account; of this guest alone where one is named. */
  marks(instanceId?: string): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Marks an account that is there as this deployment's, whatever else it is. Rejects where it is not there. */
  mark(instanceId: string): Promise<void>;
  close(): Promise<void>;
}

/** What an account is made of, in the order of making. */
interface Part {
  readonly name: string;
  readonly holds: (facts: AccountFacts, queueIsThere: boolean) => boolean;
  readonly make: (facts: AccountFacts, user: string) => Promise<void>;
}

const NOTHING: AccountFacts = { hasPassword: false, tags: [], otherVhosts: [], topics: {} };

/** The provisioner over one broker's administration, for the deployment of this id. */
export function createBrokerAccounts(admin: BrokerAdmin, deploymentId: () => Promise<string>): BrokerAccounts {
  let mark: Part | undefined;
  const markOf = async (): Promise<Part> => (mark ??= markPart(admin, await deploymentId()));
  const partsOf = async (instanceId: string): Promise<readonly Part[]> => [
    await markOf(),
    ...wallsOf(admin, instanceId),
  ];

  const makeAll = async (instanceId: string, password: Secret): Promise<void> => {
    const user = guestAccount(instanceId);
    const facts = (await admin.readAccount(user)) ?? NOTHING;
    await admin.putUser(user, undefined);
    for (const part of await partsOf(instanceId)) await part.make(facts, user);
    await admin.putUser(user, password);
  };

  const differing = async (instanceId: string, facts: AccountFacts): Promise<Part[]> => {
    const queueIsThere = await admin.hasQueue(guestTopology(instanceId));
    return (await partsOf(instanceId)).filter((part) => !part.holds(facts, queueIsThere));
  };

  const accounts: BrokerAccounts = {
    async make(instanceId, password) {
      await makeAll(instanceId, password);
      const facts = (await admin.readAccount(guestAccount(instanceId))) ?? NOTHING;
      const wrong = (await differing(instanceId, facts)).map((part) => part.name);
      if (!facts.hasPassword || wrong.length > 0)
        throw new TroveError('BUS_UNAVAILABLE', 'The broker has not made the account as it was asked to.', {
          retryable: true,
          cause: new Error(`differs: ${wrong.join(', ')}`),
        });
    },

    async repair(instanceId, findPassword) {
      const facts = await admin.readAccount(guestAccount(instanceId));
      const parts = await differing(instanceId, facts ?? NOTHING);
      const names = parts.map((part) => part.name);
      if (facts !== undefined && isOpen(facts)) {
        for (const part of parts) await part.make(facts, guestAccount(instanceId));
        return names;
      }
      const password = await findPassword();
      if (password !== undefined) await makeAll(instanceId, password);
      else if (facts !== undefined) await admin.putUser(guestAccount(instanceId), undefined);
      return [...names, 'password'];
    },

    async survey(signal) {
      const all = await admin.readAll(signal);
      const holds = (instanceId: string, facts: AccountFacts): boolean => {
        const queueIsThere = all.hasQueue(guestTopology(instanceId));
        return wallsOf(admin, instanceId).every((part) => part.holds(facts, queueIsThere));
      };
      const { holds: isMarked } = await markOf();
      return surveyOf(all, {
        isWalled: (instanceId, facts) => isOpen(facts) && holds(instanceId, facts),
        isMarked: (facts) => isMarked(facts, true),
      });
    },

    async repairWalls(instanceId) {
      const facts = await admin.readAccount(guestAccount(instanceId));
      if (facts?.hasPassword !== true) return [];
      return await accounts.repair(instanceId, async () => undefined);
    },

    cutOff: (instanceId) => admin.deleteUser(guestAccount(instanceId)),

    async remove(instanceId) {
      for (const { name } of guestTopology(instanceId).queues ?? []) await admin.deleteQueue(name);
      await accounts.cutOff(instanceId);
    },

    async marks(instanceId) {
      if (instanceId === undefined) return await admin.readMarks();
      const user = guestAccount(instanceId);
      const marks = deploymentsIn(Object.keys((await admin.readAccount(user))?.topics ?? {}));
      return new Map(marks.length === 0 ? [] : [[user, marks]]);
    },

    async mark(instanceId) {
      await (await markOf()).make(NOTHING, guestAccount(instanceId));
    },

    close: () => admin.close(),
  };
  return accounts;
}

/** The guest can log in, and only as a guest. */
function isOpen({ hasPassword, tags }: AccountFacts): boolean {
  return hasPassword && tags.length === 0;
}

function markPart(admin: BrokerAdmin, deploymentId: string): Part {
  const { exchange, topic } = deploymentMark(deploymentId);
  return {
    name: 'deployment',
    holds: ({ topics }) => equal(topics[exchange], topic),
    make: (_, user) => admin.putTopicPermission(user, exchange, topic),
  };
}

/** A missing topic permission is an open door, so those come first and the right to enter the vhost last. */
function wallsOf(admin: BrokerAdmin, instanceId: string): readonly Part[] {
  const walls: GuestWalls = guestWalls(instanceId);
  const topology: Topology = guestTopology(instanceId);
  const { permissions, topics, maxConnections, maxChannels } = walls;
  return [
    ...Object.entries(topics).map(([exchange, topic]) => ({
      name: `topic permission on ${exchange}`,
      holds: (facts: AccountFacts) => equal(facts.topics[exchange], topic),
      make: (_: AccountFacts, user: string) => admin.putTopicPermission(user, exchange, topic),
    })),
    {
      name: 'limits',
      holds: (facts) => facts.maxConnections === maxConnections && facts.maxChannels === maxChannels,
      make: (_, user) => admin.putLimits(user, { maxConnections, maxChannels }),
    },
    { name: 'queue', holds: (_, queueIsThere) => queueIsThere, make: () => admin.putQueue(topology) },
    {
      name: 'other vhosts',
      holds: (facts) => facts.otherVhosts.length === 0,
      make: async (facts, user) => {
        for (const vhost of facts.otherVhosts) await admin.leaveVhost(user, vhost);
      },
    },
    {
      name: 'permissions',
      holds: (facts) => equal(facts.permissions, permissions),
      make: (_, user) => admin.putPermissions(user, permissions),
    },
  ];
}

function equal<T extends object>(one: T | undefined, other: T): boolean {
  return one !== undefined && Object.entries(other).every(([name, value]) => Reflect.get(one, name) === value);
}
