import { bytesToUuid, uuidToBytes } from '@trove/common';
import type { Role } from '@trove/contracts';

/** One end of a conversation. A service has no id: any of its processes may answer. */
export type Party =
  | { readonly role: 'guest'; readonly instanceId: string }
  | { readonly role: Exclude<Role, 'guest'>; readonly instanceId: null };

const ROLE_BYTES = { api: 1, taskmanager: 2, conductor: 3, guest: 4 } as const;
const NO_UUID = Buffer.alloc(16);

export const PARTY_LENGTH = 17;
export const API: Party = { role: 'api', instanceId: null };
export const TASKMANAGER: Party = { role: 'taskmanager', instanceId: null };
export const CONDUCTOR: Party = { role: 'conductor', instanceId: null };

export function guestParty(instanceId: string): Party {
  return { role: 'guest', instanceId };
}

/** The 17 bytes of a party: role, then the UUID, which is zero for a service. */
export function partyToBytes(party: Party): Buffer {
  const uuid = party.role === 'guest' ? uuidToBytes(party.instanceId) : NO_UUID;
  return Buffer.concat([Buffer.from([ROLE_BYTES[party.role]]), uuid]);
}

/** The party of 17 bytes, or undefined: an unknown role, a service with an id, a guest without one. */
export function partyFromBytes(bytes: Buffer): Party | undefined {
  const uuid = bytes.subarray(1);
  const service = uuid.equals(NO_UUID);
  switch (bytes[0]) {
    case ROLE_BYTES.api:
      return service ? API : undefined;
    case ROLE_BYTES.taskmanager:
      return service ? TASKMANAGER : undefined;
    case ROLE_BYTES.conductor:
      return service ? CONDUCTOR : undefined;
    case ROLE_BYTES.guest:
      return service ? undefined : guestParty(bytesToUuid(Buffer.from(uuid)));
    default:
      return undefined;
  }
}

/** How a party is named in logs. */
export function partyName(party: Party): string {
  return party.role === 'guest' ? `guest:${party.instanceId}` : party.role;
}

export function sameParty(one: Party, other: Party): boolean {
  return one.role === other.role && one.instanceId === other.instanceId;
}
