import { expect, test } from 'vitest';
import type { Outside } from './outside.ts';
import { recordOutside, replayOutside } from './recording.ts';

test("a replay gives each row's answers in their order, the last one for ever, and a plant changes them", async () => {
  let row = 1;
  let asked = 0;
  const world = { select: async () => [{ n: (asked += 1) }] } as unknown as Outside;
  const { outside, calls } = recordOutside(world, () => row);
  await outside.select('q');
  await outside.select('q');
  row = 2;
  await outside.select('q');

  const replayed = replayOutside(calls, () => row);
  expect(await replayed.select('q')).toEqual([{ n: 3 }]);
  row = 1;
  expect([await replayed.select('q'), await replayed.select('q'), await replayed.select('q')]).toEqual([
    [{ n: 1 }],
    [{ n: 2 }],
    [{ n: 2 }],
  ]);
  await expect(replayed.select('other')).rejects.toThrow('no 1 select');
  const planted = replayOutside(
    calls,
    () => row,
    () => [{ n: 99 }],
  );
  expect(await planted.select('q')).toEqual([{ n: 99 }]);
});
