import { silentLogger, TroveError } from '@trove/common';
import { expect, test, vi } from 'vitest';
import { startWhenReachable } from './start_when_reachable.ts';

const clock = { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() };

function serverThatFails(...errors: Error[]) {
  const start = vi.fn<() => Promise<void>>(async () => {
    const error = errors.shift();
    if (error !== undefined) throw error;
  });
  return { start, close: vi.fn<() => Promise<void>>(async () => {}) };
}

const noBus = () => new TroveError('BUS_UNAVAILABLE', 'The message bus is not available.', { retryable: true });

test('without a broker the service is up, and serves as soon as the broker answers', async () => {
  const server = serverThatFails(noBus(), noBus(), noBus());
  await startWhenReachable(server, { logger: silentLogger, clock }).start();
  await expect.poll(() => server.start.mock.calls.length).toBe(4);
});

test('what is not for the broker to mend ends the start', async () => {
  const server = serverThatFails(new TroveError('CONFIG_INVALID', 'no'));
  await expect(startWhenReachable(server, { logger: silentLogger, clock }).start()).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
});

test('closing ends the waiting', async () => {
  const server = serverThatFails(...Array.from({ length: 1000 }, noBus));
  const waiting = startWhenReachable(server, {
    logger: silentLogger,
    clock: { ...clock, sleep: () => new Promise((resolve) => setTimeout(resolve, 1)) },
  });
  await waiting.start();
  await waiting.close();
  const tries = server.start.mock.calls.length;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(server.start.mock.calls.length).toBe(tries);
  expect(server.close).toHaveBeenCalledOnce();
});
