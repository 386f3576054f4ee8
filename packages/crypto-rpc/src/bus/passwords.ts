import type { Secret } from '@trove/common';

/** Several passwords of one account, of which the broker takes one: which it is changes while the account is in use. */
export interface PasswordChoice {
  /** In the order in which they are tried; asked for before each connection. */
  candidates(): readonly Secret[];
  /** The broker has let this one in. */
  accepted(password: Secret): void;
}

/** RabbitMQ's name for a login that it does not know, and our broker in memory's. */
const REFUSED = /ACCESS[-_]REFUSED/;

/** What `enter` makes with the first password that is let in. Rejects with the last refusal, or at once where it is another failure. */
export async function enterWith<T>(choice: PasswordChoice, enter: (password: Secret) => Promise<T>): Promise<T> {
  let refusal: unknown = new RangeError('no password to enter with');
  for (const password of choice.candidates()) {
    try {
      const entered = await enter(password);
      choice.accepted(password);
      return entered;
    } catch (error) {
      if (!(error instanceof Error && REFUSED.test(error.message))) throw error;
      refusal = error;
    }
  }
  throw refusal;
}
