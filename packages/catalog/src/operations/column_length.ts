import { TroveError } from '@trove/common';

/** SQLite would store what MySQL refuses: the limit is the column's on both. Throws `BAD_REQUEST`. */
export function requireColumnLength(what: string, text: string, characters: number): void {
  if (Array.from(text).length > characters)
    throw new TroveError('BAD_REQUEST', `${what} is longer than ${characters} characters.`);
}
