import type { Stage } from './stage.ts';

/** One thing to be seen: what was expected, what was seen, and whether that is it. */
export interface Finding {
  readonly expected: string;
  readonly seen: string;
  readonly asExpected: boolean;
}

/** A row of the walkthrough: what the operator does, what must be seen, and the look at it. */
export interface Row<Seen = unknown> {
  readonly number: number;
  readonly title: string;
  /** Acts, and gives back what the outside showed; judges nothing. */
  act(stage: Stage): Promise<Seen>;
  /** In the order in which they are told. */
  readonly expectations: readonly Expectation<Seen>[];
}

export interface Expectation<Seen> {
  readonly expected: string;
  /** The seen thing in words, and whether it is the expected one. */
  look(seen: Seen): { seen: string; asExpected: boolean };
}

/** Keeps a row's own type inside, so that rows of different kinds stand in one list. */
export function defineRow<Seen>(row: Row<Seen>): WalkthroughRow {
  return {
    number: row.number,
    title: row.title,
    async run(stage) {
      const seen = await row.act(stage);
      return row.expectations.map((expectation) => ({ expected: expectation.expected, ...expectation.look(seen) }));
    },
  };
}

export interface WalkthroughRow {
  readonly number: number;
  readonly title: string;
  run(stage: Stage): Promise<readonly Finding[]>;
}

/** The finding that a value is the expected one. */
export function same<T>(actual: T, expected: T): { seen: string; asExpected: boolean } {
  return { seen: JSON.stringify(actual), asExpected: JSON.stringify(actual) === JSON.stringify(expected) };
}

export function holds(seen: string, asExpected: boolean): { seen: string; asExpected: boolean } {
  return { seen, asExpected };
}
