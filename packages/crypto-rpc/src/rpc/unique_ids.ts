import { LRUCache } from 'lru-cache';
import { Refusal } from './refusal.ts';

const REMEMBERED_MS = 10 * 60 * 1000;
const MOST = 200_000;
/** Trove's are 32 hex digits. Nothing proves who wrote one, so it must not be able to fill our memory. */
const LONGEST = 255;

/** The `_unique_id`s of the last 10 minutes. */
export class UniqueIds {
  readonly #seen = new LRUCache<string, true>({ max: MOST, ttl: REMEMBERED_MS });

  /** Throws a `Refusal`: `duplicate` for one that this sender has used before, `content` for one that is none. */
  take(sender: string, uniqueId: string): void {
    if (uniqueId.length === 0 || uniqueId.length > LONGEST) throw new Refusal('content');
    const name = `${sender} ${uniqueId}`;
    if (this.#seen.has(name)) throw new Refusal('duplicate');
    this.#seen.set(name, true);
  }
}
