import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isTroveError } from '@trove/common';
import { type CertificateAuthority, type CertifiedKey, createAuthority } from '@trove/common/certificates';
import { type TlsDatabase, tlsDatabase } from '@trove/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCatalog } from './catalog.ts';
import { isUnavailable } from './errors.ts';

const DAY_MS = 86_400_000;
const later = () => new Date(Date.now() + DAY_MS);

let folder: string;
let ca: CertificateAuthority;
let other: CertificateAuthority;
let client: CertifiedKey;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trove-mysql-tls-'));
  ca = await createAuthority({ name: 'CA', notAfter: later() });
  other = await createAuthority({ name: 'another CA', notAfter: later() });
  client = await ca.issue({ name: 'client', use: 'client', notAfter: later() });
});
afterAll(() => rmSync(folder, { recursive: true }));

let written = 0;
function file(text: string): string {
  written += 1;
  const path = join(folder, `${written}.pem`);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

interface Attempt {
  host?: string;
  user?: string;
  authority?: string;
  own?: CertifiedKey;
}

/** The cipher that it is spoken to with, or the message of a failure. */
async function attempt(database: TlsDatabase, how: Attempt = {}): Promise<string> {
  const url = new URL(`${database.url}/mysql`);
  url.hostname = how.host ?? url.hostname;
  url.username = how.user ?? url.username;
  url.searchParams.set('charset', 'utf8');
  url.searchParams.set('ssl_ca', file(how.authority ?? ca.cert));
  if (how.own !== undefined) {
    url.searchParams.set('ssl_cert', file(how.own.cert));
    url.searchParams.set('ssl_key', file(how.own.key));
  }
  const catalog = openCatalog({ connection: url.href.replace(/^mysql:/, 'mysql+pymysql:'), acquireTimeoutMs: 5000 });
  try {
    const [rows] = (await catalog.knex.raw("SHOW STATUS LIKE 'Ssl_version'")) as [{ Value: string }[]];
    return rows[0]?.Value ?? '';
  } catch (error) {
    expect(isUnavailable(error) || !isTroveError(error)).toBe(true);
    if (!isTroveError(error, 'CATALOG_UNAVAILABLE')) return String(error);
    expect(error.message).toBe('The catalog cannot be reached.');
    return error.cause instanceof Error ? error.cause.message : '';
  } finally {
    await catalog.close();
  }
}

const server = (hosts: string[], more: object = {}) =>
  ca.issue({ name: 'db', use: 'server', hosts, notAfter: later(), ...more });

describe('a database server over TLS', () => {
  let database: TlsDatabase;
  beforeAll(async () => {
    database = await tlsDatabase({ ca: ca.cert, ...(await server(['127.0.0.1'])) });
    const admin = openCatalog({ connection: `${database.url}/mysql` });
    const { password } = new URL(database.url);
    await admin.knex.raw(`GRANT ALL ON *.* TO 'shows'@'127.0.0.1' IDENTIFIED BY '${password}' REQUIRE X509`);
    await admin.close();
  });
  afterAll(() => database.dispose());

  test('is spoken to in TLS 1.2 or later where the URL names its authority', async () => {
    expect(await attempt(database)).toMatch(/^TLSv1\.[23]$/);
  });

  test('gets the client certificate that it requires of an account', async () => {
    expect(await attempt(database, { user: 'shows', own: client })).toMatch(/^TLSv1\.[23]$/);
    expect(await attempt(database, { user: 'shows' })).toContain('Access denied');
    const foreign = await other.issue({ name: 'c', use: 'client', notAfter: later() });
    expect(await attempt(database, { user: 'shows', own: foreign })).not.toMatch(/^TLSv1/);
  });

  test('of another name or an unknown authority is refused, with host, file and reason', async () => {
    expect(await attempt(database, { host: 'localhost' })).toMatch(
      /^TLS with localhost:\d+ failed: the server's certificate is not for localhost, but for IP Address:127\.0\.0\.1 \(checked against \[database\] connection ssl_ca = \/.*\.pem\)/,
    );
    expect(await attempt(database, { authority: other.cert })).toContain('is from no authority in [database]');
  });
});

test.each([
  [
    "the server's certificate has expired (checked against",
    () => server(['127.0.0.1'], { notBefore: new Date(0), notAfter: new Date(Date.now() - DAY_MS) }),
    {},
  ],
  ['is not for 127.0.0.1, but for DNS:localhost', () => server(['localhost']), {}],
  ['TLS 1.2 or later', () => server(['127.0.0.1']), { versions: 'TLSv1.1' }],
])(
  'a server whose TLS cannot be accepted is refused: %s',
  async (reason, certificate, more) => {
    const database = await tlsDatabase({ ca: ca.cert, ...(await certificate()), ...more });
    try {
      expect(await attempt(database)).toContain(reason);
    } finally {
      await database.dispose();
    }
  },
  60_000,
);

test('a URL whose TLS would verify nothing is refused', () => {
  const open = (query: string) => () => openCatalog({ connection: `mysql://u:hidden@h/trove?${query}` });
  const authority = file(ca.cert);
  expect(open(`ssl_ca=${authority}&ssl_check_hostname=false`)).toThrow('ssl_check_hostname cannot be off');
  expect(open('ssl_cert=/nowhere.pem')).toThrow('ssl_ca is not set');
  expect(open('ssl_ca=/nowhere.pem')).toThrow('[database] connection ssl_ca: /nowhere.pem cannot be read (ENOENT)');
});
