import { breakableBroker } from '@trove/testkit';
import { expect, test, vi } from 'vitest';
import { Lane } from './lane.ts';

vi.setConfig({ testTimeout: 600_000 });

test('with a broker short of memory and then of disk creates are accepted and done afterwards, health says so, and nothing waits for ever', async () => {
  const broker = await breakableBroker();
  try {
    const lane = await Lane.open({ amqp: broker.url, mysql: process.env['TROVE_TEST_MYSQL_URL'] ?? '' });
    try {
      let size = 1;
      for (const of of ['memory', 'disk'] as const) {
        await lane.allAreWell();
        await broker.alarm(of);
        try {
          await lane.begin((size += 1));
          await expect
            .poll(async () => (await lane.running[0]?.health())?.text, { timeout: 60_000 })
            .toContain('blocked');
          expect((await lane.ask('GET', `/instances/${lane.served}`)).code).toBe(200);
          expect([422, 503]).toContain((await lane.ask('GET', `/instances/${lane.served}/databases`)).code);
        } finally {
          await broker.endAlarms();
        }
        await lane.allAreWell();
        await lane.nothingIsLost();
      }
    } finally {
      await lane.services.dispose();
    }
  } finally {
    await broker.dispose();
  }
});
