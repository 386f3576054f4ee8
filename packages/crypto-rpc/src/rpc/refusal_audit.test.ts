import { createLogger, createMetrics } from '@trove/common';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createRefusalAudit } from './refusal_audit.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function setUp() {
  const lines: Record<string, unknown>[] = [];
  const stream = { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) };
  const metrics = createMetrics();
  return { lines, metrics, audit: createRefusalAudit(createLogger({ service: 'test', stream }), metrics) };
}

const facts = { queue: 'guest.1', bytes: 300, claimed_sender: 'guest:1' };

test('a refusal is a line with who, why, where and how long', () => {
  const { lines, audit } = setUp();
  audit('open', facts);
  expect(lines).toMatchObject([
    { level: 'warn', message: 'message refused', audit: 'refusal', reason: 'open', ...facts, total: 1 },
  ]);
});

test('a flood is ten lines a minute of each reason, and the rest is a number; the counter has all', async () => {
  const { lines, metrics, audit } = setUp();
  for (let i = 0; i < 1000; i += 1) audit('open', facts);
  audit('size', facts);
  expect(lines).toHaveLength(11);
  vi.advanceTimersByTime(60_000);
  expect(lines.slice(11)).toMatchObject([
    { message: 'messages refused, not shown', reason: 'open', count: 990, total: 1000 },
  ]);
  audit('open', facts);
  expect(lines.at(-1)).toMatchObject({ message: 'message refused', total: 1001 });
  const { text } = await metrics.page();
  expect(text).toContain('trove_refused_messages_total{reason="open"} 1001\n');
  expect(text).toContain('trove_refused_messages_total{reason="size"} 1\n');
});
