import { inspect } from 'node:util';

const SHOWN = '[secret]';

/**
 * A value that no logger, error message, `JSON.stringify`, template string or `util.inspect` shows.
 * The only way to it is `reveal()`, so every use can be found by searching for that word.
 */
export class Secret<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [inspect.custom](): string {
    return SHOWN;
  }
}
