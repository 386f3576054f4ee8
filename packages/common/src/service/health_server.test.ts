import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { createMetrics } from '../metrics/metrics.ts';
import { createAuthority } from '../tls/certificates.ts';
import { loadTlsClient } from '../tls/tls_client.ts';
import { createTlsFetch } from '../tls/tls_fetch.ts';
import { type BrokenPart, type HealthServer, startHealthServer } from './health_server.ts';

let server: HealthServer | undefined;
afterEach(() => server?.close());

async function ask(check: () => BrokenPart[], path = '/healthcheck', method = 'GET') {
  server = await startHealthServer({ host: '127.0.0.1', port: 0 }, check, createMetrics());
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
  server = await startHealthServer({ host: '127.0.0.1', port: 0 }, () => [], createMetrics());
  await expect(
    startHealthServer({ host: '127.0.0.1', port: server.port }, () => [], createMetrics()),
  ).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
});

test('what is counted is served beside it, in the form that Prometheus reads', async () => {
  const metrics = createMetrics();
  metrics.count('a_total', 'A.', { reason: 'x' });
  server = await startHealthServer({ host: '127.0.0.1', port: 0 }, () => [], metrics);
  const response = await fetch(`http://127.0.0.1:${server.port}/metrics`);
  expect(response.headers.get('content-type')).toContain('version=0.0.4');
  expect(await response.text()).toContain('a_total{reason="x"} 1\n');
});

test('with a certificate it speaks TLS and nothing else', async () => {
  const ca = await createAuthority({ name: 'CA', notAfter: new Date(Date.now() + 60_000) });
  const own = await ca.issue({
    name: 's',
    use: 'server',
    hosts: ['127.0.0.1'],
    notAfter: new Date(Date.now() + 60_000),
  });
  const tls = { ...own, minVersion: 'TLSv1.2', requestCert: false, rejectUnauthorized: false } as const;
  server = await startHealthServer({ host: '127.0.0.1', port: 0, tls }, () => [], createMetrics());
  const folder = mkdtempSync(join(tmpdir(), 'trove-health-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'ca.pem');
  writeFileSync(file, ca.cert);
  const client = await createTlsFetch(loadTlsClient({ ca: file }, { ca: 'ca', cert: 'cert', key: 'key' }));
  const response = await client.fetch(`https://127.0.0.1:${server.port}/healthcheck`);
  expect([response.status, await response.text()]).toEqual([200, 'OK']);
  await expect(fetch(`http://127.0.0.1:${server.port}/healthcheck`)).rejects.toThrow();
  await client.close();
});
