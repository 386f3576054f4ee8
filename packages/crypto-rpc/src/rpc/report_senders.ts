import type { Clock } from '@trove/common';
import { LRUCache } from 'lru-cache';
import type { GuestPeer, KeyStore } from '../keys/key_store.ts';
import { findKey } from './peer_keys.ts';
import { SessionBudget } from './session_budget.ts';

const READ_ANEW_MS = 1000;
const GUESTS_REMEMBERED = 50_000;

/** Who a report says that it is from, and the account that the broker vouches for. */
export interface ClaimedSender {
  readonly instanceId: string;
  readonly userId: string | undefined;
  /** The version of its key; absent where the wire has none. */
  readonly keyVersion?: number;
}

/**
 * The guests that reports are from. An account need not be named, and whom a message is from is told before it opens: so
 * whoever may publish can make guests and versions of keys up, each of which the catalog would be asked about. What comes to
 * nothing is held by a `SessionBudget`; a guest that was found before costs nothing of it.
 */
export class ReportSenders {
  readonly #keyStore: KeyStore;
  readonly #clock: Clock;
  readonly #found = new LRUCache<string, true>({ max: GUESTS_REMEMBERED });
  readonly #fruitless: SessionBudget;
  /** When a guest was last read anew for a version of its key, by the monotonic clock. */
  readonly #readAnew = new LRUCache<string, number>({ max: GUESTS_REMEMBERED });

  constructor(keyStore: KeyStore, clock: Clock) {
    this.#keyStore = keyStore;
    this.#clock = clock;
    this.#fruitless = new SessionBudget(() => clock.monotonic());
  }

  /**
   * The guest as it is cached, or read anew where the cache does not have this version of its key: one that has just been
   * agreed on counts at once. Undefined where there is none. Rejects with a `Refusal` (`rate`) where too many were asked for
   * that are not there.
   */
  async find(sender: ClaimedSender): Promise<GuestPeer | undefined> {
    const { instanceId, userId, keyVersion } = sender;
    if (this.#found.get(instanceId) === undefined) this.#fruitless.check(userId, instanceId);
    const peer = await this.#keyStore.guestPeer(instanceId);
    if (peer === undefined) {
      this.#found.delete(instanceId);
      this.#fruitless.charge(userId, instanceId);
      return undefined;
    }
    this.#found.set(instanceId, true);
    const isWhole = keyVersion === undefined || findKey(peer, keyVersion) !== undefined;
    return isWhole || !this.#mayReadAnew(peer, sender) ? peer : await this.#newer(peer, keyVersion, userId);
  }

  /** Once a second at most, and not for one who has to be heard from another account. */
  #mayReadAnew({ account }: GuestPeer, { instanceId, userId }: ClaimedSender): boolean {
    if (account !== undefined && account !== userId) return false;
    const since = this.#clock.monotonic() - (this.#readAnew.get(instanceId) ?? Number.NEGATIVE_INFINITY);
    return since >= READ_ANEW_MS && this.#fruitless.has(userId, instanceId);
  }

  async #newer(
    { instanceId }: GuestPeer,
    keyVersion: number,
    userId: string | undefined,
  ): Promise<GuestPeer | undefined> {
    this.#readAnew.set(instanceId, this.#clock.monotonic());
    this.#keyStore.forget(instanceId);
    const peer = await this.#keyStore.guestPeer(instanceId);
    if (peer === undefined || findKey(peer, keyVersion) === undefined) this.#fruitless.charge(userId, instanceId);
    return peer;
  }
}
