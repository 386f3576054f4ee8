import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openMemoryRuntime } from './stack/memory_runtime.ts';
import { ROWS, summary } from './walkthrough.ts';
import { differences, expectEachPlantToFailItsRow, recordWalk } from './walkthrough_test_support.ts';

test('the walkthrough is as expected on the embedded defaults, from a folder that guests cannot enter too, and a fault planted in any row makes exactly that row fail', async () => {
  // mkdtemp makes it 0700: as root, where guests run as another account, they have to be housed elsewhere.
  const under = mkdtempSync(join(tmpdir(), 'trove-closed-'));
  const runtime = await openMemoryRuntime({ under });
  try {
    if (process.getuid?.() === 0) expect(runtime.description).toContain('instances are kept in');
    const { results, calls, screen } = await recordWalk(runtime);
    expect(differences(results), screen).toEqual([]);
    expect(summary(results)).toEqual({ text: `\n${ROWS.length} of 14 steps as expected\n`, ok: true });
    await expectEachPlantToFailItsRow(calls);
  } finally {
    await runtime.close();
    rmSync(under, { recursive: true, force: true });
  }
}, 300_000);
