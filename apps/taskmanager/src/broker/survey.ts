import { guestAccount, guestTopology } from '@trove/crypto-rpc';
import type { AccountFacts, BrokerFacts } from './broker_admin.ts';

/** How the guests' accounts are. */
export interface Survey {
  /** Whether the guest has its account and its queue, and both are as they should be. */
  isRight(instanceId: string): boolean;
  /** Whether all is as it should be, but that the account does not say whose it is: one of an earlier release. */
  isUnmarked(instanceId: string): boolean;
  /** Every instance, of whatever deployment, that has an account or a queue. */
  readonly instanceIds: readonly string[];
}

/** What an account that is there is asked. */
export interface Questions {
  readonly isWalled: (instanceId: string, facts: AccountFacts) => boolean;
  readonly isMarked: (facts: AccountFacts) => boolean;
}

export function surveyOf({ accounts, queueNames }: BrokerFacts, { isWalled, isMarked }: Questions): Survey {
  const isThere = (instanceId: string, marked: boolean): boolean => {
    const facts = accounts.get(guestAccount(instanceId));
    return facts !== undefined && isMarked(facts) === marked && isWalled(instanceId, facts);
  };
  return {
    isRight: (instanceId) => isThere(instanceId, true),
    isUnmarked: (instanceId) => isThere(instanceId, false),
    instanceIds: [...new Set([...accounts.keys(), ...queueNames].map(idIn))].filter(
      (id) => accounts.has(guestAccount(id)) || queuesOf(id).some((name) => queueNames.has(name)),
    ),
  };
}

const ID_LENGTH = 36;

/** What stands at the end of the names of accounts and queues. */
function idIn(name: string): string {
  return name.slice(-ID_LENGTH);
}

function queuesOf(instanceId: string): string[] {
  return (guestTopology(instanceId).queues ?? []).map(({ name }) => name);
}
