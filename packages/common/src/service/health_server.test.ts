import { afterEach, expect, test } from 'vitest';
import { type BrokenPart, type HealthServer, startHealthServer } from './health_server.ts';

let server: HealthServer | undefined;
afterEach(() => server?.close());

async function ask(check: () => BrokenPart[], path = '/healthcheck', method = 'GET') {
  server = await startHealthServer({ host: '127.0.0.1', port: 0 }, check);
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
  return [response.status, await response.text()];
}

test('a service with nothing broken answers 200 OK', async () => {
  expect(await ask(() => [])).toEqual([200, 'OK']);
});

test('each broken part is a JSON line of a 503', async () => {
  const parts = [
    { part: 'bus', reason: 'not connected' },
    { part: 'catalog', reason: 'no answer' },
  ];
  expect(await ask(() => parts)).toEqual([503, parts.map((part) => `${JSON.stringify(part)}\n`).join('')]);
});

test('a check that throws is a broken part, and its error is not shown', async () => {
  const [status, body] = await ask(() => {
    throw new Error('inner');
  });
  expect(status).toBe(503);
  expect(body).not.toContain('inner');
});

test('nothing else is served', async () => {
  expect(await ask(() => [], '/')).toEqual([404, 'Not Found']);
  await server?.close();
  expect(await ask(() => [], '/healthcheck', 'POST')).toEqual([405, 'Method Not Allowed']);
});

test('an address in use is a fault of the configuration', async () => {
  server = await startHealthServer({ host: '127.0.0.1', port: 0 }, () => []);
  await expect(startHealthServer({ host: '127.0.0.1', port: server.port }, () => [])).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
});
