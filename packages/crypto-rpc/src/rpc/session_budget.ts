import { LRUCache } from 'lru-cache';
import { isGuestAccount } from './guest_account.ts';
import { Refusal } from './refusal.ts';

/** Tokens that are there at once, and that come again each second. */
interface Allowance {
  readonly atOnce: number;
  readonly perSecond: number;
}

const OF_ONE_SENDER: Allowance = { atOnce: 32, perSecond: 4 };
/** A derivation costs some 30 µs, so nobody takes more than a hundredth of a core for long. */
const OF_SHARED_ACCOUNT: Allowance = { atOnce: 1024, perSecond: 256 };
const ACCOUNTS = 20_000;

interface Bucket {
  tokens: number;
  at: number;
}

/**
 * Tokens for what a message costs before it is known to be anybody's: deriving the keys of a session that is not known, asking
 * the catalog for a guest that is not there. A guest's own account has one bucket, whatever it says that it
 * speaks for: 32 at once, 4 more each second. Any other account, or none, is shared by many: 1024 and 256 for all of them,
 * and of these 32 and 4 for each claimed sender, so that one of them does not use up the rest at once. A session that opens
 * gives its token back, so that only what does not open uses them up.
 */
export class SessionBudget {
  readonly #monotonic: () => number;
  readonly #accounts = new LRUCache<string, Bucket>({ max: ACCOUNTS });
  readonly #senders = new LRUCache<string, Bucket>({ max: ACCOUNTS });

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /**
   * Throws a `Refusal` (`rate`) where there is no token left.
   * @param userId the account that the broker vouches for
   */
  take(userId: string | undefined, sender: string): void {
    this.check(userId, sender);
    this.charge(userId, sender);
  }

  /** Throws a `Refusal` (`rate`) where there is no token left, and takes none. */
  check(userId: string | undefined, sender: string): void {
    if (!this.has(userId, sender)) throw new Refusal('rate');
  }

  has(userId: string | undefined, sender: string): boolean {
    return this.#bucketsOf(userId, sender).every(({ bucket }) => bucket.tokens >= 1);
  }

  /** Takes a token for what has been done already; where several were begun at once, more than there are. */
  charge(userId: string | undefined, sender: string): void {
    for (const { bucket } of this.#bucketsOf(userId, sender)) bucket.tokens -= 1;
  }

  giveBack(userId: string | undefined, sender: string): void {
    for (const { bucket, allowance } of this.#bucketsOf(userId, sender))
      bucket.tokens = Math.min(allowance.atOnce, bucket.tokens + 1);
  }

  #bucketsOf(userId = '', sender: string): { bucket: Bucket; allowance: Allowance }[] {
    if (isGuestAccount(userId)) return [this.#filled(this.#accounts, userId, OF_ONE_SENDER)];
    return [
      this.#filled(this.#accounts, userId, OF_SHARED_ACCOUNT),
      this.#filled(this.#senders, `${userId} ${sender}`, OF_ONE_SENDER),
    ];
  }

  #filled(
    buckets: LRUCache<string, Bucket>,
    name: string,
    allowance: Allowance,
  ): { bucket: Bucket; allowance: Allowance } {
    const now = this.#monotonic();
    const bucket = buckets.get(name) ?? { tokens: allowance.atOnce, at: now };
    bucket.tokens = Math.min(allowance.atOnce, bucket.tokens + ((now - bucket.at) * allowance.perSecond) / 1000);
    bucket.at = now;
    buckets.set(name, bucket);
    return { bucket, allowance };
  }
}
