import { expect } from 'vitest';
import type { Outside } from './outside.ts';
import { plantedFaults } from './plants.ts';
import { type RecordedCall, recordOutside, replayOutside } from './recording.ts';
import { outsideOf, type Runtime } from './stack/outside_of.ts';
import { type RowResult, walk } from './walkthrough.ts';

/** Puts something between the rows and the outside; `row` says which row asks. */
export type Between = (outside: Outside, row: () => number) => Outside;

/** Walks once through a runtime, recording all that the outside showed. */
export async function recordWalk(
  runtime: Runtime,
  between: Between = (outside) => outside,
): Promise<{ results: readonly RowResult[]; calls: readonly RecordedCall[]; screen: string }> {
  let row = 0;
  const screen: string[] = [];
  const { outside, calls } = recordOutside(
    between(outsideOf(runtime), () => row),
    () => row,
  );
  const results = await walk({ outside, print: (text) => screen.push(text), onRow: (number) => (row = number) });
  return { results, calls, screen: screen.join('') };
}

/** Each expectation that did not hold, as one line. */
export function differences(results: readonly RowResult[]): string[] {
  return results.flatMap(({ number, findings }) =>
    findings
      .filter(({ asExpected }) => !asExpected)
      .map(({ expected, seen }) => `${number}: ${expected}; seen: ${seen}`),
  );
}

/** The rows that fail when the recorded world is as `plant` makes it in that row. */
async function failingRows(
  calls: readonly RecordedCall[],
  plant: ReturnType<typeof plantedFaults>[number] | undefined,
): Promise<number[]> {
  let row = 0;
  const outside = replayOutside(
    calls,
    () => row,
    (method, argument, answer) => (plant?.row === row ? plant.corrupt(method, argument, answer) : answer),
  );
  const results = await walk({ outside, print: () => undefined, onRow: (number) => (row = number), goOn: true });
  return results.filter(({ asExpected }) => !asExpected).map(({ number }) => number);
}

/**
 * What a row looks at is changed at its source (a file, a row of the catalog, bytes on the bus, a printed table), in a
 * recording of a run that went well, and the rows' own code looks again: that row and no other must fail.
 */
export async function expectEachPlantToFailItsRow(calls: readonly RecordedCall[]): Promise<void> {
  const ids = idsIn(calls);
  const idOf = (name: string) => ids.get(name) ?? '';
  expect(await failingRows(calls, undefined)).toEqual([]);
  for (const plant of plantedFaults(idOf)) {
    expect({ plant: plant.what, fails: await failingRows(calls, plant) }).toEqual({
      plant: plant.what,
      fails: [plant.row],
    });
  }
}

function idsIn(calls: readonly RecordedCall[]): Map<string, string> {
  const rows = calls.flatMap(({ method, answer }) =>
    method === 'select' ? (answer as { id?: string; name?: string }[]) : [],
  );
  return new Map(rows.flatMap(({ id, name }) => (id === undefined || name === undefined ? [] : [[name, id] as const])));
}
