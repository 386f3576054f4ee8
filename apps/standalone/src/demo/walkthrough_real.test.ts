import { expect, test } from 'vitest';
import { openRealRuntime } from './stack/real_runtime.ts';
import { summary } from './walkthrough.ts';
import { differences, expectEachPlantToFailItsRow, recordWalk } from './walkthrough_test_support.ts';

test('the walkthrough is as expected over RabbitMQ and MariaDB with each service a process of its own', async () => {
  const runtime = await openRealRuntime(() => undefined);
  try {
    const { results, calls, screen } = await recordWalk(runtime);
    expect(differences(results), screen).toEqual([]);
    expect(summary(results).ok).toBe(true);
    await expectEachPlantToFailItsRow(calls);
  } finally {
    await runtime.close();
  }
}, 400_000);
