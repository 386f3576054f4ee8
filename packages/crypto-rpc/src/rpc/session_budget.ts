import { LRUCache } from 'lru-cache';
import { Refusal } from './refusal.ts';

const SENDERS = 20_000;
const CAPACITY = 32;
const PER_MS = 4 / 1000;

interface Bucket {
  tokens: number;
  at: number;
}

/**
 * Tokens for deriving the keys of sessions that are not known, per sender: 32 at once, 4 more each second. A session that
 * opens gives its token back, so that only what does not open uses them up.
 */
export class SessionBudget {
  readonly #monotonic: () => number;
  readonly #buckets = new LRUCache<string, Bucket>({ max: SENDERS });

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** Throws a `Refusal` (`rate`) where there is no token left. */
  take(sender: string): void {
    const bucket = this.#bucket(sender);
    if (bucket.tokens < 1) throw new Refusal('rate');
    bucket.tokens -= 1;
  }

  giveBack(sender: string): void {
    const bucket = this.#bucket(sender);
    bucket.tokens = Math.min(CAPACITY, bucket.tokens + 1);
  }

  #bucket(sender: string): Bucket {
    const now = this.#monotonic();
    const bucket = this.#buckets.get(sender) ?? { tokens: CAPACITY, at: now };
    bucket.tokens = Math.min(CAPACITY, bucket.tokens + (now - bucket.at) * PER_MS);
    bucket.at = now;
    this.#buckets.set(sender, bucket);
    return bucket;
  }
}
