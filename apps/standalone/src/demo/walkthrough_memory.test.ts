import { expect, test } from 'vitest';
import { openMemoryRuntime } from './stack/memory_runtime.ts';
import { ROWS, summary } from './walkthrough.ts';
import { differences, expectEachPlantToFailItsRow, recordWalk } from './walkthrough_test_support.ts';

test('the walkthrough is as expected on the embedded defaults, and a fault planted in any row makes exactly that row fail', async () => {
  const runtime = await openMemoryRuntime();
  try {
    const { results, calls, screen } = await recordWalk(runtime);
    expect(differences(results), screen).toEqual([]);
    expect(summary(results)).toEqual({ text: `\n${ROWS.length} of 14 steps as expected\n`, ok: true });
    await expectEachPlantToFailItsRow(calls);
  } finally {
    await runtime.close();
  }
}, 300_000);
