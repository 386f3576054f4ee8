import type { Clock } from '@trove/common';
import { type Header, isZero } from '../codecs/v2/header.ts';
import { Refusal } from './refusal.ts';

/** By how much two clocks may differ, in milliseconds. */
const SKEW_MS = 60_000;
/** The longest lives that a receiver grants, in milliseconds. */
export const CALL_LIFE_MS = 10 * 60_000;
export const HEARTBEAT_LIFE_MS = 90_000;
export const EVENT_LIFE_MS = 24 * 3_600_000;

/** Throws a `Refusal` (`expiry`) for a message that may live longer than its kind may. */
export function checkLife(header: Header, longestMs: number): void {
  if (header.expires - header.issued > longestMs) throw new Refusal('expiry');
}

/** Throws a `Refusal` (`expiry`) for one that has expired at `now`, the catalog's time. */
function checkNotExpired(header: Header, now: number): void {
  if (header.expires + SKEW_MS < now) throw new Refusal('expiry');
}

/** The same, and for one of the future. */
export function checkTime(header: Header, now: number): void {
  checkNotExpired(header, now);
  if (header.issued - SKEW_MS > now) throw new Refusal('expiry');
}

/** Longer than any request that was in time when it came can be in time again. */
const REMEMBERED_MS = CALL_LIFE_MS + 2 * SKEW_MS;

/**
 * What a guest knows of time and of what it has heard. Its time is the catalog's: `issued` of the newest `hello` that opened,
 * counted on by its own monotonic clock. Before the first one it has none, and judges nobody by it.
 */
export class GuestFreshness {
  readonly #clock: Clock;
  /** When each id was heard, by the monotonic clock; the oldest first. */
  readonly #heard = new Map<string, number>();
  #newest: { readonly issued: number; readonly at: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds since 1970 as the catalog counts them; undefined before the first `hello`. */
  now(): number | undefined {
    return this.#newest && this.#newest.issued + (this.#clock.monotonic() - this.#newest.at);
  }

  /** Takes the time from a `hello` that passed every check. One that is older than the newest tells nothing. */
  greeted(issued: number): void {
    if (this.#newest !== undefined && issued <= this.#newest.issued) return;
    this.#newest = { issued, at: this.#clock.monotonic() };
  }

  /**
   * Throws a `Refusal` (`expiry`, `duplicate`) for a request that is not in time or that was heard before. A `hello` may be
   * ahead: this machine may have stood still.
   * @returns whether it is for the boot of this nonce; `hello` always is
   */
  take(header: Header, bootNonce: Buffer): boolean {
    checkLife(header, CALL_LIFE_MS);
    const isHello = isZero(header.bootNonce);
    const now = this.now();
    if (now !== undefined) (isHello ? checkNotExpired : checkTime)(header, now);
    this.#hear(header.messageId.toString('hex'));
    return isHello || header.bootNonce.equals(bootNonce);
  }

  #hear(messageId: string): void {
    const now = this.#clock.monotonic();
    for (const [id, at] of this.#heard) {
      if (now - at < REMEMBERED_MS) break;
      this.#heard.delete(id);
    }
    if (this.#heard.has(messageId)) throw new Refusal('duplicate');
    this.#heard.set(messageId, now);
  }
}
