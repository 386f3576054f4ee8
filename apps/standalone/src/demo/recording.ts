import type { Outside } from './outside.ts';

/** One call of the `Outside` and its answer. */
export interface RecordedCall {
  readonly row: number;
  readonly method: keyof Outside;
  readonly argument: string;
  readonly answer: unknown;
}

export type AnyCall = (...values: readonly unknown[]) => Promise<unknown>;

/** An `Outside` that writes down every answer; `row()` names the row that asks. */
export function recordOutside(
  outside: Outside,
  row: () => number,
): { outside: Outside; calls: readonly RecordedCall[] } {
  const calls: RecordedCall[] = [];
  const recorder = wrap((method, values) =>
    (Reflect.get(outside, method) as AnyCall).call(outside, ...values).then((answer) => {
      calls.push({ row: row(), method, argument: JSON.stringify(values), answer });
      return answer;
    }),
  );
  return { outside: recorder, calls };
}

/** What a plant does to an answer: gives another one in its place. */
export type Plant = (method: keyof Outside, argument: string, answer: unknown) => unknown;

/**
 * An `Outside` that gives a recorded run's answers again, to each row in its order, the last one for ever. A plant
 * changes answers of one row: that stands for a world which is not as it should be.
 */
export function replayOutside(
  calls: readonly RecordedCall[],
  row: () => number,
  plant: Plant = (_m, _a, answer) => answer,
): Outside {
  const positions = new Map<string, number>();
  return wrap(async (method, values) => {
    if (method === 'sleep') return undefined;
    const argument = JSON.stringify(values);
    const matching = calls.filter((call) => call.row === row() && call.method === method && call.argument === argument);
    const name = `${row()} ${method} ${argument}`;
    const position = Math.min(positions.get(name) ?? 0, matching.length - 1);
    positions.set(name, position + 1);
    const found = matching[position];
    if (found === undefined) throw new Error(`the recorded run has no ${name}`);
    return plant(method, argument, structuredClone(found.answer));
  });
}

function wrap(answer: (method: keyof Outside, values: readonly unknown[]) => Promise<unknown>): Outside {
  return new Proxy({} as Outside, {
    get:
      (_target, method) =>
      (...values: readonly unknown[]) =>
        answer(method as keyof Outside, values),
  });
}
