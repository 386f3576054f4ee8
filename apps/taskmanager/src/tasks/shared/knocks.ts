import { isTroveError } from '@trove/common';
import { atHand } from './at_hand.ts';

/** How long a question rests in the queue of a guest that is not there yet: twice as long each time, up to the most. */
const KNOCK_MS = { first: 5000, most: 30_000 };
/** What nobody fetches is forgotten: another taskmanager has the task, or nobody waits any more. */
const KEPT_MS = 60_000;

interface Knock<T> {
  silences: number;
  /** It is being asked at this moment. */
  asking: boolean;
  /** What was answered when nobody was waiting for it. */
  late?: { readonly answered: T };
  forgotten?: NodeJS.Timeout;
}

export interface Knocking<T> {
  /** Rejects with `GUEST_TIMEOUT` or `RPC_TIMEOUT` where nobody answers in time. */
  ask(deadlineMs: number): Promise<T>;
  /** Called when an answer comes that nobody waits for. Never rejects. */
  wake(): Promise<void>;
}

/**
 * Questions of one taskmanager to guests that may not be there yet. They take no slot: each waits in its guest's queue for the
 * guest to come, and its answer wakes whoever waits for it. So only what changes nothing may be asked in this way. An answer
 * that gets lost, with the taskmanager or without, costs the time until the next question.
 */
export class Knocks<T> {
  readonly #knocks = new Map<string, Knock<T>>();

  /**
   * Asks, unless this was asked for `id` before and the guest still has time. The answer where it is there, then or at once;
   * else undefined. An error of the guest is thrown where it comes at once; later it wakes, to be asked for again.
   */
  async knock(id: string, knocking: Knocking<T>): Promise<T | undefined> {
    const knock: Knock<T> = this.#knocks.get(id) ?? { silences: 0, asking: false };
    this.#knocks.set(id, knock);
    if (knock.late !== undefined) {
      this.#forget(id, knock);
      return knock.late.answered;
    }
    return knock.asking ? undefined : await this.#ask(id, knock, knocking);
  }

  async #ask(id: string, knock: Knock<T>, { ask, wake }: Knocking<T>): Promise<T | undefined> {
    clearTimeout(knock.forgotten);
    knock.asking = true;
    let isAwaited = true;
    const asked = ask(Math.min(KNOCK_MS.first * 2 ** knock.silences, KNOCK_MS.most))
      .catch((error: unknown) => {
        if (!isSilence(error)) throw error;
        knock.silences += 1;
        return undefined;
      })
      .finally(() => {
        knock.asking = false;
        knock.forgotten = setTimeout(() => this.#forget(id, knock), KEPT_MS).unref();
      });
    asked.then(
      async (answered) => {
        if (isAwaited || answered === undefined) return;
        knock.late = { answered };
        await wake();
      },
      async () => {
        if (!isAwaited) await wake();
      },
    );
    try {
      const answered = (await atHand(asked))?.value;
      if (answered !== undefined) this.#forget(id, knock);
      return answered;
    } finally {
      isAwaited = false;
    }
  }

  #forget(id: string, knock: Knock<T>): void {
    clearTimeout(knock.forgotten);
    if (this.#knocks.get(id) === knock) this.#knocks.delete(id);
  }
}

function isSilence(error: unknown): boolean {
  return isTroveError(error, 'GUEST_TIMEOUT') || isTroveError(error, 'RPC_TIMEOUT');
}
