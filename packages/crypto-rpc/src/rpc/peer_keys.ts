import { TroveError } from '@trove/common';
import { LRUCache } from 'lru-cache';
import { downlinkKey } from '../keys/derive.ts';
import type { GuestKey, GuestPeer } from '../keys/key_store.ts';
import { Refusal } from './refusal.ts';
import type { SenderKeys } from './sealed_checks.ts';

const REMEMBERED = 10_000;

/** The key of this version that a message from the guest may be under now, or undefined. */
function liveKey(peer: GuestPeer, keyVersion: number): GuestKey | undefined {
  const state = peer.pendingOnly ? 'pending' : 'active';
  return peer.keys.find((key) => key.version === keyVersion && key.state === state);
}

/** How a conductor opens what this guest reports. While only the pending key is accepted, the guest is a v2 one. */
export function reportKeys(peer: GuestPeer | undefined): SenderKeys | undefined {
  if (peer === undefined) return undefined;
  if (peer.quarantined === true) throw new Refusal('quarantine');
  return {
    policy: peer.pendingOnly ? 2 : peer.policy,
    account: peer.account,
    bootNonce: peer.bootNonce,
    rootKey: (keyVersion) => liveKey(peer, keyVersion)?.uplinkKey.reveal(),
  };
}

/** The key to ask a guest under, chosen by the step that asks. */
export function commandKey(
  peer: GuestPeer,
  pending: boolean,
): { readonly version: number; readonly instanceKey: string } {
  const active = peer.keys.find((key) => key.state === 'active');
  const key = pending ? (peer.keys.find((candidate) => candidate.state === 'pending') ?? active) : active;
  if (key?.instanceKey === undefined)
    throw new TroveError('INTERNAL', 'There is no key to speak to this instance under.');
  return { version: key.version, instanceKey: key.instanceKey.reveal() };
}

/** Kdn by instance, derived once as long as Ki stays the same. */
export class DownlinkKeys {
  readonly #known = new LRUCache<string, { readonly instanceKey: string; readonly rootKey: Buffer }>({
    max: REMEMBERED,
  });

  get(instanceId: string, instanceKey: string): Buffer {
    const known = this.#known.get(instanceId);
    if (known?.instanceKey === instanceKey) return known.rootKey;
    const rootKey = downlinkKey(instanceKey);
    this.#known.set(instanceId, { instanceKey, rootKey });
    return rootKey;
  }
}
