import { TroveError } from '@trove/common';
import { LRUCache } from 'lru-cache';
import { downlinkKey } from '../keys/derive.ts';
import type { GuestKey, GuestPeer } from '../keys/key_store.ts';
import { isKeyMethod } from './key_methods.ts';
import { Refusal } from './refusal.ts';
import type { SenderKeys } from './sealed_checks.ts';

const REMEMBERED = 10_000;

/**
 * The key of this version that a report may be under now. A pending one is: its guest has proven it a moment before the
 * catalog has it as the active one. An injected one never is.
 */
function reportKey(peer: GuestPeer, keyVersion: number): GuestKey | undefined {
  const key = findKey(peer, keyVersion);
  if (key?.bootstrap !== undefined) throw new Refusal('bootstrap');
  return peer.pendingOnly && key?.state !== 'pending' ? undefined : key;
}

/** How a conductor opens what this guest reports. While only pending keys are accepted, the guest is a v2 one. */
export function reportKeys(peer: GuestPeer | undefined): SenderKeys | undefined {
  if (peer === undefined) return undefined;
  if (peer.quarantined === true) throw new Refusal('quarantine');
  return {
    policy: peer.pendingOnly ? 2 : peer.policy,
    account: peer.account,
    bootNonce: peer.bootNonce,
    rootKey: (keyVersion) => reportKey(peer, keyVersion)?.uplinkKey.reveal(),
    isUnsettled: (keyVersion) => !peer.pendingOnly && findKey(peer, keyVersion)?.state === 'pending',
  };
}

/** Whether the catalog has this version of the guest's key, for whatever use. */
export function findKey(peer: GuestPeer, keyVersion: number): GuestKey | undefined {
  return peer.keys.find((key) => key.version === keyVersion);
}

/**
 * The key to ask a guest under: that of this version, chosen by the step that asks, else the active one. Throws where there
 * is none, and where it was injected and the method is not one for which it was.
 */
export function commandKey(
  peer: GuestPeer,
  method: string,
  keyVersion?: number,
): { readonly version: number; readonly instanceKey: string } {
  const key = keyVersion === undefined ? peer.keys.find(({ state }) => state === 'active') : findKey(peer, keyVersion);
  if (key?.instanceKey === undefined)
    throw new TroveError('INTERNAL', 'There is no key to speak to this instance under.');
  if (key.bootstrap === 'over')
    throw new TroveError('GUEST_ERROR', 'The guest agent did not agree on a key within 30 minutes.');
  if (key.bootstrap !== undefined && !isKeyMethod(method))
    throw new TroveError('UNPROCESSABLE', `Instance ${peer.instanceId} is being set up.`, { retryable: true });
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
