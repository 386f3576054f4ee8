import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SecureVersion } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { isTroveError } from '../errors.ts';
import { Secret } from '../secret.ts';
import { loadBrokerTls, transportUrlWithTls } from './broker_tls.ts';
import { type CertificateAuthority, type CertifiedKey, createAuthority } from './certificates.ts';
import { loadTlsClient } from './tls_client.ts';
import { createTlsFetch } from './tls_fetch.ts';
import { loadTlsServer } from './tls_server.ts';

const NAMES = { ca: '[x] ca', cert: '[x] cert', key: '[x] key' };
const DAY_MS = 86_400_000;
const later = () => new Date(Date.now() + DAY_MS);
const past = () => new Date(Date.now() - DAY_MS);

let folder: string;
let ca: CertificateAuthority;
let other: CertificateAuthority;
let server: CertifiedKey;
let client: CertifiedKey;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trove-tls-'));
  [ca, other] = await Promise.all([
    createAuthority({ name: 'test CA', notAfter: later() }),
    createAuthority({ name: 'another CA', notAfter: later() }),
  ]);
  server = await ca.issue({ name: 'server', use: 'server', hosts: ['localhost', '127.0.0.1'], notAfter: later() });
  client = await ca.issue({ name: 'client', use: 'client', notAfter: later() });
});
afterAll(() => rmSync(folder, { recursive: true }));

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

let files = 0;
function file(text: string, mode = 0o600): string {
  files += 1;
  const path = join(folder, `${files}.pem`);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

async function listen(
  options: CertifiedKey & {
    minVersion?: SecureVersion;
    maxVersion?: SecureVersion;
    ciphers?: string;
    clientCa?: string;
  },
) {
  const { clientCa, ...own } = options;
  const wanted = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  const listening = createServer({ ...own, ...wanted }, (_request, response) => response.end('{"here":true}'));
  listening.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  closers.push(async () => {
    listening.closeAllConnections();
    listening.close();
  });
  const address = listening.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function ask(port: number, host = '127.0.0.1', pair?: CertifiedKey): Promise<unknown> {
  const own = pair === undefined ? {} : { cert: file(pair.cert), key: file(pair.key) };
  const tls = await createTlsFetch(loadTlsClient({ ca: file(ca.cert), ...own }, NAMES), 'COMPUTE_ERROR');
  closers.push(() => tls.close());
  return await (await tls.fetch(`https://${host}:${port}/`)).json();
}

async function refusal(port: number, host?: string, pair?: CertifiedKey): Promise<string> {
  const error: unknown = await ask(port, host, pair).catch((reason: unknown) => reason);
  if (!isTroveError(error, 'COMPUTE_ERROR')) throw error;
  return error.message;
}

describe('a server', () => {
  test('is accepted by name and by address where its certificate has both', async () => {
    const port = await listen(server);
    expect(await ask(port)).toEqual({ here: true });
    expect(await ask(port, 'localhost')).toEqual({ here: true });
  });

  test('whose certificate has expired is refused with the file and the reason', async () => {
    const old = await ca.issue({
      name: 'old',
      use: 'server',
      hosts: ['127.0.0.1'],
      notBefore: new Date(0),
      notAfter: past(),
    });
    expect(await refusal(await listen(old))).toMatch(
      /^TLS with 127\.0\.0\.1:\d+ failed: the server's certificate has expired \(checked against \[x\] ca = .*\.pem\)\.$/,
    );
  });

  test('with a certificate of another name is refused, and told whose it is', async () => {
    const elsewhere = await ca.issue({ name: 'e', use: 'server', hosts: ['db.example'], notAfter: later() });
    expect(await refusal(await listen(elsewhere))).toContain('is not for 127.0.0.1, but for DNS:db.example');
    const byName = await ca.issue({ name: 'e', use: 'server', hosts: ['localhost'], notAfter: later() });
    expect(await refusal(await listen(byName))).toContain('is not for 127.0.0.1');
  });

  test('of an authority that is not in the file is refused', async () => {
    const foreign = await other.issue({ name: 'f', use: 'server', hosts: ['127.0.0.1'], notAfter: later() });
    expect(await refusal(await listen(foreign))).toContain('is from no authority in [x] ca = ');
  });

  test('that shows a client certificate is refused', async () => {
    const wrong = await ca.issue({ name: 'c', use: 'client', hosts: ['127.0.0.1'], notAfter: later() });
    expect(await refusal(await listen(wrong))).toContain('is not one for servers');
  });

  test('that speaks TLS 1.1 at most is refused', async () => {
    const port = await listen({
      ...server,
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    expect(await refusal(port)).toContain('TLS 1.2 or later');
  });

  test('that wants a client certificate gets it where there is one', async () => {
    const port = await listen({ ...server, clientCa: ca.cert });
    expect(await ask(port, '127.0.0.1', client)).toEqual({ here: true });
    expect(await refusal(port)).toContain('misses a client certificate ([x] cert is not set)');
    const foreign = await other.issue({ name: 'f', use: 'client', notAfter: later() });
    expect(await refusal(port, '127.0.0.1', foreign)).toContain('misses a client certificate ([x] cert = ');
  });
});

describe('a file', () => {
  const load = (given: { ca?: string; cert?: string; key?: string }) => () => loadTlsClient(given, NAMES);

  test('that is missing or wrong is named with its setting', () => {
    expect(load({})).toThrow('[x] ca is not set');
    expect(load({ ca: '/nowhere/ca.pem' })).toThrow('[x] ca: /nowhere/ca.pem cannot be read (ENOENT).');
    expect(load({ ca: file('nothing') })).toThrow('holds no certificate in PEM');
    expect(load({ ca: file(ca.cert), cert: file(client.cert) })).toThrow('[x] key is not set, and [x] cert is');
    expect(load({ ca: file(ca.cert), cert: file(client.cert), key: file(server.key) })).toThrow(
      /\[x\] cert: .* does not belong to the key in /,
    );
    expect(load({ ca: file(ca.cert), cert: file(client.cert), key: file(client.key, 0o644) })).toThrow(
      'may be read or written by everyone',
    );
  });

  test('with an own certificate or an authority that has expired is refused at the start', async () => {
    const old = await ca.issue({ name: 'o', use: 'client', notBefore: new Date(0), notAfter: past() });
    expect(load({ ca: file(ca.cert), cert: file(old.cert), key: file(old.key) })).toThrow(
      /\[x\] cert: .* expired on \d/,
    );
    const gone = await createAuthority({ name: 'gone', notAfter: past() });
    expect(load({ ca: file(gone.cert) })).toThrow(/\[x\] ca: .* expired on \d/);
  });

  test('may hold any number of authorities', async () => {
    const many = await Promise.all(
      Array.from({ length: 150 }, (_, index) => createAuthority({ name: `CA ${index}`, notAfter: later() })),
    );
    const bundle = file([...many, ca].map(({ cert }) => cert).join('\n# a comment\n'));
    const tls = await createTlsFetch(loadTlsClient({ ca: bundle }, NAMES));
    closers.push(() => tls.close());
    expect((await tls.fetch(`https://127.0.0.1:${await listen(server)}/`)).status).toBe(200);
  });
});

describe('settings', () => {
  test('of the broker turn TLS on for every URL, or leave it to the URL', () => {
    const url = new Secret('rabbit://u:p@broker/v');
    const clear = { ssl: false };
    expect(loadBrokerTls(clear, [url])).toBeUndefined();
    expect(transportUrlWithTls(url, 'transport_url', clear)).toBe(url);
    expect(transportUrlWithTls(url, 'transport_url', { ssl: true }).reveal()).toBe('rabbit+ssl://u:p@broker:5671/v');
    for (const text of ['rabbits://u:p@b', 'amqps://u:p@b', 'rabbit://u:p@b/v?ssl=1'])
      expect(() => loadBrokerTls(clear, [new Secret(text)])).toThrow('[oslo_messaging_rabbit] ssl_ca_file is not set');
    expect(loadBrokerTls({ ssl: true, ssl_ca_file: file(ca.cert) }, [])?.connectOptions.minVersion).toBe('TLSv1.2');
    const newest = { ssl: true, ssl_ca_file: file(ca.cert), ssl_version: 'TLSv1_3' };
    expect(loadBrokerTls(newest, [])?.connectOptions.minVersion).toBe('TLSv1.3');
    expect(() => loadBrokerTls({ ...newest, ssl_version: 'TLSv1_1' }, [])).toThrow('ssl_version');
  });

  test('of a service make it speak TLS, and ask clients for a certificate where there is a ca_file', () => {
    expect(loadTlsServer({})).toBeUndefined();
    const own = { cert_file: file(server.cert), key_file: file(server.key) };
    expect(loadTlsServer(own)).toMatchObject({ minVersion: 'TLSv1.2', requestCert: false });
    expect(loadTlsServer({ ...own, ca_file: file(ca.cert) })).toMatchObject({
      requestCert: true,
      rejectUnauthorized: true,
    });
    expect(() => loadTlsServer({ cert_file: own.cert_file })).toThrow('[ssl] key_file is not set');
    expect(() => loadTlsServer({ ca_file: file(ca.cert) })).toThrow('[ssl] cert_file is not set');
  });
});
