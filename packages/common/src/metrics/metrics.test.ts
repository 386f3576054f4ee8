import { expect, test } from 'vitest';
import { TroveError } from '../errors.ts';
import { measureCall, showBuses } from './calls.ts';
import { createMetrics } from './metrics.ts';

const page = async (metrics: ReturnType<typeof createMetrics>) => (await metrics.page()).text;

test('what is counted is on the page, under one name however often it is named', async () => {
  const metrics = createMetrics();
  metrics.count('a_total', 'A.', { reason: 'open' });
  metrics.count('a_total', 'A.', { reason: 'open' }, 2);
  metrics.count('a_total', 'A.', { reason: 'size' });
  expect(await page(metrics)).toBe(
    '# HELP a_total A.\n# TYPE a_total counter\na_total{reason="open"} 3\na_total{reason="size"} 1\n',
  );
});

test('a call is counted by its outcome and measured, and goes on as it was', async () => {
  const metrics = createMetrics();
  const call = { to: 'guest', method: 'restart' };
  expect(await measureCall(metrics, call, async () => 7)).toBe(7);
  const refused = measureCall(metrics, call, () => Promise.reject(new TroveError('GUEST_TIMEOUT', 'x')));
  await expect(refused).rejects.toMatchObject({ code: 'GUEST_TIMEOUT' });
  const text = await page(metrics);
  expect(text).toContain('trove_rpc_calls_total{to="guest",method="restart",outcome="ok"} 1\n');
  expect(text).toContain('trove_rpc_calls_total{to="guest",method="restart",outcome="GUEST_TIMEOUT"} 1\n');
  expect(text).toContain('trove_rpc_call_seconds_count{to="guest",method="restart"} 2\n');
});

test('a gauge is read for the page; one that cannot be read is left out, and the rest is there', async () => {
  const metrics = createMetrics({ process: true });
  showBuses(metrics, { sealed: { state: 'connected' }, clear: { state: 'connecting' } });
  metrics.gauge('broken', 'B.', ['x'], () => Promise.reject(new Error('no catalog')));
  const text = await page(metrics);
  expect(text).toContain('trove_bus_connected{bus="sealed"} 1\ntrove_bus_connected{bus="clear"} 0\n');
  expect(text).not.toMatch(/^broken/m);
  expect(text).toContain('process_resident_memory_bytes');
});

test('a gauge is read once in ten seconds, however often the page is asked for', async () => {
  const metrics = createMetrics();
  let reads = 0;
  metrics.gauge('g', 'G.', [], async () => [{ labels: {}, value: ++reads }]);
  await page(metrics);
  expect(await page(metrics)).toContain('g 1\n');
});
