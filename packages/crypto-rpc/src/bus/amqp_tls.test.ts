import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TlsOptions } from 'node:tls';
import { createLogger, createTlsFetch, loadBrokerTls, Secret, silentLogger } from '@trove/common';
import { type CertificateAuthority, type CertifiedKey, createAuthority } from '@trove/common/certificates';
import { type TlsBroker, tlsBroker } from '@trove/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createAmqpBus } from './amqp_bus.ts';

const later = () => new Date(Date.now() + 86_400_000);

let folder: string;
let ca: CertificateAuthority;
let other: CertificateAuthority;
let client: CertifiedKey;
let server: CertifiedKey;
let broker: TlsBroker;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trove-amqp-tls-'));
  ca = await createAuthority({ name: 'CA', notAfter: later() });
  other = await createAuthority({ name: 'another CA', notAfter: later() });
  server = await ca.issue({ name: 'broker', use: 'server', hosts: ['127.0.0.1'], notAfter: later() });
  client = await ca.issue({ name: 'client', use: 'client', notAfter: later() });
  broker = await tlsBroker({ ca: ca.cert, ...server, clientCertificates: 'required' });
}, 120_000);
afterAll(async () => {
  await broker.dispose();
  rmSync(folder, { recursive: true });
});

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

let written = 0;
function file(text: string): string {
  written += 1;
  const path = join(folder, `${written}.pem`);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

interface Attempt {
  port?: number;
  host?: string;
  authority?: string;
  own?: CertifiedKey | undefined;
}

function settings({ authority = ca.cert, own = client }: Attempt) {
  const pair = own.cert === '' ? {} : { ssl_cert_file: file(own.cert), ssl_key_file: file(own.key) };
  return { ssl: true, ssl_ca_file: file(authority), ...pair };
}

const NO_CERTIFICATE = { cert: '', key: '' };

/** Connects, and says what the log says where that fails. */
async function attempt(how: Attempt): Promise<string> {
  const { port = broker.tlsPort, host = '127.0.0.1' } = how;
  const transportUrl = new Secret(broker.url.replace(/@.*$/, `@${host}:${port}/`).replace('amqp:', 'rabbits:'));
  const lines: string[] = [];
  const logger = createLogger({ service: 'test', stream: { write: (line) => lines.push(line) } });
  try {
    const bus = await createAmqpBus({
      transportUrl,
      tls: loadBrokerTls(settings(how), [transportUrl]),
      connectionName: 'test',
      logger,
      waitConnected: true,
      timeoutMs: 2000,
    });
    await bus.close();
    return 'connected';
  } catch {
    const password = new URL(broker.url).password;
    expect(lines.join()).not.toContain(password);
    return lines.map((line) => (JSON.parse(line) as { error: { message: string } }).error.message).join('\n');
  }
}

/** The same broker behind a TLS of our own making. */
async function relay(options: TlsOptions): Promise<number> {
  const listening = createServer(options, (near) => {
    const far = connect(Number(new URL(broker.url).port), '127.0.0.1');
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on('error', () => far.destroy());
  }).listen(0, '127.0.0.1');
  await once(listening, 'listening');
  closers.push(() => listening.close());
  return (listening.address() as AddressInfo).port;
}

test('a broker whose certificate is in order is spoken to, with the client certificate that it requires', async () => {
  expect(await attempt({})).toBe('connected');
});

test('a broker under another name than its certificate has is refused', async () => {
  expect(await attempt({ host: 'localhost' })).toMatch(
    /TLS with localhost:\d+ failed: the server's certificate is not for localhost, but for IP Address:127\.0\.0\.1 \(checked against \[oslo_messaging_rabbit\] ssl_ca_file = \/.*\.pem\)/,
  );
});

test('a broker of an authority that is not in the file is refused', async () => {
  expect(await attempt({ authority: other.cert })).toContain(
    "the server's certificate is from no authority in [oslo_messaging_rabbit] ssl_ca_file",
  );
});

test('a broker whose certificate has expired is refused', async () => {
  const old = await ca.issue({
    name: 'old',
    use: 'server',
    hosts: ['127.0.0.1'],
    notBefore: new Date(0),
    notAfter: new Date(Date.now() - 86_400_000),
  });
  expect(await attempt({ port: await relay(old) })).toContain("the server's certificate has expired");
});

test('a broker that speaks TLS 1.1 at most is refused', async () => {
  const port = await relay({ ...server, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' });
  expect(await attempt({ port })).toContain('TLS 1.2 or later');
});

test('a port in clear is told as such', async () => {
  expect(await attempt({ port: Number(new URL(broker.url).port) })).toContain('does not speak TLS on this port');
});

test('a broker that requires a client certificate says so where there is none, or another authority has given it', async () => {
  expect(await attempt({ own: NO_CERTIFICATE })).toContain('ssl_cert_file is not set');
  const foreign = await other.issue({ name: 'foreign', use: 'client', notAfter: later() });
  expect(await attempt({ own: foreign })).toMatch(/client certificate.* ssl_cert_file = /);
});

test('a URL with TLS and no authority to check it by is refused at the start', async () => {
  const transportUrl = new Secret('rabbits://u:hidden@127.0.0.1/');
  await expect(createAmqpBus({ transportUrl, connectionName: 'test', logger: silentLogger })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.not.stringContaining('hidden') as string,
  });
});

test('the management API answers over TLS to the helper for it, and to no other name', async () => {
  const tls = loadBrokerTls(settings({}), []);
  if (tls === undefined) throw new Error('TLS was asked for');
  const { fetch, close } = await createTlsFetch(tls, 'BUS_UNAVAILABLE');
  closers.push(close);
  const { username, password } = new URL(broker.url);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const path = `:${broker.managementTlsPort}/api/whoami`;
  const answer = await fetch(`https://127.0.0.1${path}`, { headers: { authorization } });
  expect(await answer.json()).toMatchObject({ name: 'trove' });
  await expect(fetch(`https://localhost${path}`)).rejects.toMatchObject({
    code: 'BUS_UNAVAILABLE',
    message: expect.stringContaining('is not for localhost') as string,
  });
});
