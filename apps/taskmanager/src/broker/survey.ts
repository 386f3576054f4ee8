import { guestAccount, guestTopology } from '@trove/crypto-rpc';
import type { AccountFacts, BrokerFacts } from './broker_admin.ts';

/** How the guests' accounts are. */
export interface Survey {
  /** Whether the guest has its account and its queue, and both are as they should be. */
  isRight(instanceId: string): boolean;
  /** Every instance, of whatever deployment, that has an account or a queue. */
  readonly instanceIds: readonly string[];
}

/** @param holds whether an account that is there is as it should be */
export function surveyOf(
  { accounts, queueNames }: BrokerFacts,
  holds: (instanceId: string, facts: AccountFacts) => boolean,
): Survey {
  return {
    isRight(instanceId) {
      const facts = accounts.get(guestAccount(instanceId));
      return facts !== undefined && holds(instanceId, facts);
    },
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
