import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createCli } from '@trove/cli';
import { createTlsFetch, loadTlsClient } from '@trove/common';
import { type CertificateAuthority, createAuthority } from '@trove/common/certificates';
import { freePort, type TlsBroker, type TlsDatabase, tlsBroker, tlsDatabase } from '@trove/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CONFIG_FILES } from '../src/demo/outside.ts';
import { until } from '../src/demo/rows/shared.ts';
import type { MachineRuntime } from '../src/demo/stack/memory_runtime.ts';
import { outsideOf } from '../src/demo/stack/outside_of.ts';
import { openRealRuntime } from '../src/demo/stack/real_runtime.ts';
import { parseProperties } from '../src/demo/table_reader.ts';

const SERVERS = ['TROVE_TEST_AMQP_URL', 'TROVE_TEST_MYSQL_URL'] as const;

let folder: string;
let ca: CertificateAuthority;
let broker: TlsBroker;
let database: TlsDatabase;
let runtime: MachineRuntime;
const before = SERVERS.map((name) => process.env[name]);

const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trove-tls-stack-'));
  const notAfter = new Date(Date.now() + 86_400_000);
  ca = await createAuthority({ name: 'CA', notAfter });
  const server = await ca.issue({ name: 'server', use: 'server', hosts: ['127.0.0.1'], notAfter });
  const client = await ca.issue({ name: 'client', use: 'client', notAfter });
  const texts = { 'ca.pem': ca.cert, 'server.pem': server.cert, 'server.key': server.key };
  for (const [name, text] of Object.entries({ ...texts, 'client.pem': client.cert, 'client.key': client.key }))
    writeFileSync(at(name), text, { mode: 0o600 });
  [broker, database] = await Promise.all([
    tlsBroker({ ca: ca.cert, ...server }),
    tlsDatabase({ ca: ca.cert, ...server }),
  ]);
  process.env.TROVE_TEST_AMQP_URL = broker.url;
  process.env.TROVE_TEST_MYSQL_URL = database.url;
  runtime = await openRealRuntime(() => undefined);
}, 180_000);

afterAll(async () => {
  await runtime.close();
  SERVERS.forEach((name, index) => {
    if (before[index] === undefined) delete process.env[name];
    else process.env[name] = before[index];
  });
  await Promise.all([broker.dispose(), database.dispose()]);
  rmSync(folder, { recursive: true });
}, 120_000);

/** The files of the deployment as they were, with TLS on every hop and a health port. */
async function secureFiles(): Promise<number[]> {
  const clearPort = new URL(broker.url).port;
  const ports: number[] = [];
  for (const name of CONFIG_FILES) {
    const port = await freePort();
    ports.push(port);
    const path = runtime.deployment.configPath(name);
    const text = readFileSync(path, 'utf8')
      .replace('log_level = warn', `log_level = info\nhealth_port = ${port}`)
      .replace(`:${clearPort}/`, `:${broker.tlsPort}/`)
      .replace(/^connection = .*$/m, (line) => `${line}?ssl_ca=${at('ca.pem')}`);
    const ssl = (section: string, prefix: string, own: string) =>
      `[${section}]\n${prefix}ca_file = ${at('ca.pem')}\n${prefix}cert_file = ${at(`${own}.pem`)}\n${prefix}key_file = ${at(`${own}.key`)}\n`;
    writeFileSync(
      path,
      `${text}\n${ssl('oslo_messaging_rabbit', 'ssl_', 'client')}ssl = true\n${ssl('ssl', '', 'server')}`,
    );
  }
  return ports;
}

test('the whole control plane and its guests run with TLS on every hop, and nothing in clear reaches the broker', async () => {
  const outside = outsideOf(runtime);
  const ports = await secureFiles();
  await outside.makeOldCatalog();
  expect(await outside.manage(['db_sync'])).toMatchObject({ code: 0 });
  expect(await outside.startControlPlane('sealed')).toContain('on https://127.0.0.1:');
  const trove = async (...argv: string[]) => {
    const out: string[] = [];
    const write = (text: string) => out.push(text);
    const env = {
      TROVE_URL: `https://127.0.0.1:${runtime.deployment.apiPort}`,
      TROVE_HOME: dirname(runtime.deployment.tokensFile),
      ...{ OS_CACERT: at('ca.pem'), OS_CERT: at('client.pem'), OS_KEY: at('client.key') },
    };
    const code = await createCli({ fetch, stdout: { write }, stderr: { write }, env }).run(argv);
    return { code, out: out.join('') };
  };
  expect(await trove('create', 'secured', '25', '--size', '1', '--databases', 'shop')).toMatchObject({ code: 0 });
  const shown = await until(outside, async () => {
    const value = parseProperties((await trove('show', 'secured')).out);
    return { done: value.status === 'ACTIVE' && value.operating_status === 'HEALTHY', value };
  });
  expect(shown).toMatchObject({ status: 'ACTIVE', operating_status: 'HEALTHY' });
  expect((await trove('database-list', 'secured')).out).toContain('shop');

  const files = join(runtime.instancesRoot, String(shown.id), 'files/etc/trove');
  expect(readFileSync(join(files, 'broker-ca.pem'), 'utf8').replaceAll('\n', '')).toBe(ca.cert.replaceAll('\n', ''));
  expect(readFileSync(join(files, 'trove-guestagent.conf'), 'utf8')).toMatch(/sealed_transport_url=rabbit\+ssl:/);
  expect(await connections()).toEqual({ tls: expect.any(Number) as number, clear: ['demo', 'tap'] });

  const names = { ca: 'ca', cert: 'cert', key: 'key' };
  const own = { cert: at('client.pem'), key: at('client.key') };
  const known = await createTlsFetch(loadTlsClient({ ca: at('ca.pem'), ...own }, names));
  const unknown = await createTlsFetch(loadTlsClient({ ca: at('ca.pem') }, names));
  for (const port of ports) {
    expect(await (await known.fetch(`https://127.0.0.1:${port}/healthcheck`)).text()).toBe('OK');
    await expect(unknown.fetch(`https://127.0.0.1:${port}/metrics`)).rejects.toThrow('client certificate');
  }
  await Promise.all([known.close(), unknown.close()]);
}, 180_000);

/** The broker's own list: how many connections are under TLS, and who is not. */
async function connections(): Promise<{ tls: number; clear: string[] }> {
  const { username, password, searchParams } = new URL(broker.url);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const url = `http://127.0.0.1:${searchParams.get('management_port')}/api/connections`;
  const list = (await (await fetch(url, { headers: { authorization } })).json()) as {
    ssl: boolean;
    client_properties?: { connection_name?: string };
  }[];
  const clear = list.filter(({ ssl }) => !ssl).map(({ client_properties: named }) => named?.connection_name ?? 'tap');
  return { tls: list.length - clear.length, clear: clear.sort() };
}
