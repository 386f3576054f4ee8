import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createCli } from '../cli.ts';
import { EXIT } from '../exit.ts';
import { createManage } from './manage.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trove-certs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const NOWHERE = { notChecked: 'nothing is outside of this test' };

async function certs(...argv: string[]) {
  const out: string[] = [];
  const write = (text: string) => out.push(text);
  const outside = async () => ({
    things: NOWHERE,
    flavors: NOWHERE,
    broker: NOWHERE,
    secrets: [],
    tap: () => ({ notChecked: 'none' }),
  });
  const manage = createManage({
    stdout: { write },
    stderr: { write },
    env: {},
    images: async () => [],
    rotate: async () => '',
    rebuild: async () => '',
    outside,
  });
  return { code: await manage.run(['certs', join(folder, 'tls'), ...argv]), out: out.join('') };
}

const at = (name: string) => join(folder, 'tls', name);
const read = (name: string) => readFileSync(at(name), 'utf8');

test('an authority, a server and clients are made; keys are for their owner only', async () => {
  const { code, out } = await certs(
    '--host',
    'localhost',
    '10.0.0.1',
    '--client',
    'trove',
    '--client',
    'conductor',
    '--days',
    '7',
  );
  expect(code).toBe(EXIT.ok);
  expect(out).toContain(`${at('server.pem')}  for localhost, 10.0.0.1\n`);
  const names = ['ca', 'conductor', 'server', 'trove'];
  expect(readdirSync(join(folder, 'tls')).sort()).toEqual(
    names.flatMap((name) => [`${name}.key`, `${name}.pem`]).sort(),
  );
  for (const name of names) expect(statSync(at(`${name}.key`)).mode & 0o777).toBe(0o600);
  const ca = new X509Certificate(read('ca.pem'));
  const server = new X509Certificate(read('server.pem'));
  expect(server.verify(ca.publicKey)).toBe(true);
  expect([server.checkHost('localhost'), server.checkIP('10.0.0.1'), server.checkHost('other')]).toEqual([
    'localhost',
    '10.0.0.1',
    undefined,
  ]);
  expect(new X509Certificate(read('trove.pem')).keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
  expect(server.validToDate.getTime()).toBeLessThan(Date.now() + 8 * 86_400_000);
});

test('a folder that cannot be made is one line that says which and why', async () => {
  writeFileSync(join(folder, 'tls'), '');
  const { code, out } = await certs();
  expect(code).toBe(EXIT.refused);
  expect(out).toMatch(/^trove-manage: EEXIST: .*tls'\n$/);
});

test('nothing is overwritten, and then nothing is written at all', async () => {
  await certs('--client', 'one');
  const before = read('ca.key');
  expect(await certs('--client', 'two')).toMatchObject({
    code: EXIT.refused,
    out: expect.stringContaining('already there') as string,
  });
  expect(read('ca.key')).toBe(before);
  expect(readdirSync(join(folder, 'tls'))).not.toContain('two.pem');
  expect((await certs('--client', '../x')).code).toBe(EXIT.usage);
});

test('the trove command takes an https endpoint with that authority, and refuses it without', async () => {
  await certs('--host', '127.0.0.1');
  const options = {
    cert: read('server.pem'),
    key: read('server.key'),
    ca: read('ca.pem'),
    requestCert: true,
    rejectUnauthorized: true,
  };
  const server = createServer(options, (_request, response) => response.end('{"flavors":[]}')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const trove = async (argv: string[], env: Record<string, string> = {}, host = '127.0.0.1') => {
    const out: string[] = [];
    const write = (text: string) => out.push(text);
    const connection = { TROVE_URL: `https://${host}:${port}`, TROVE_TOKEN: 't1', TROVE_PROJECT_ID: 'p1' };
    const cli = createCli({ fetch, stdout: { write }, stderr: { write }, env: { ...connection, ...env } });
    return { code: await cli.run([...argv, 'flavor-list']), out: out.join('') };
  };
  const own = ['--os-cert', at('trove.pem'), '--os-key', at('trove.key')];
  try {
    expect((await trove(['--os-cacert', at('ca.pem'), ...own])).code).toBe(EXIT.ok);
    const env = { OS_CACERT: at('ca.pem'), OS_CERT: at('trove.pem'), OS_KEY: at('trove.key') };
    expect((await trove([], env)).code).toBe(EXIT.ok);
    expect(await trove([])).toMatchObject({
      code: EXIT.usage,
      out: expect.stringContaining('OS_CACERT) is not set') as string,
    });
    expect(await trove(own, { OS_CACERT: at('server.pem') })).toMatchObject({ code: EXIT.unreachable });
    const elsewhere = await trove([], env, 'localhost');
    expect(elsewhere.code).toBe(EXIT.unreachable);
    expect(elsewhere.out).toMatch(/TLS with localhost:\d+ failed: .* not for localhost.*OS_CACERT.*ca\.pem/);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
