import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { CliError, EXIT } from '../../exit.ts';
import type { ManageSession } from '../session.ts';

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 90;
const DEFAULT_CLIENTS: readonly string[] = ['trove'];
const COMMON_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

interface Wishes {
  readonly host: readonly string[];
  readonly client: readonly string[];
  readonly days: number;
}

/** `certs`: a certificate authority and what it gave, for a trial. */
export function addCerts(program: Command, session: ManageSession): void {
  program
    .command('certs')
    .description('Make a certificate authority, a server certificate and client certificates, for a trial of TLS.')
    .argument('<folder>', 'where the files go; it is made where it is missing')
    .option('--host <names...>', 'host names and addresses of the server', defaultHosts())
    .option('--client <names...>', 'a client certificate for each of these names', clientName, DEFAULT_CLIENTS)
    .option('--days <number>', 'how long they are valid', days, DEFAULT_DAYS)
    .action(async (folder: string, wishes: Wishes) => {
      const made = await makeCertificates(folder, wishes);
      for (const { path, what } of made) session.print(`${path}  ${what}\n`);
    });
}

function defaultHosts(): string[] {
  return [...new Set(['localhost', hostname(), '127.0.0.1', '::1'])];
}

function days(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('1 to 9999 days.');
  return Number(text);
}

/** It becomes a file's name too. */
function clientName(name: string, names: readonly string[] | undefined): readonly string[] {
  if (!COMMON_NAME.test(name) || name === 'ca' || name === 'server')
    throw new InvalidArgumentError('letters, digits, ".", "_" and "-", and neither "ca" nor "server".');
  return names === undefined || names === DEFAULT_CLIENTS ? [name] : [...names, name];
}

interface MadeFile {
  readonly path: string;
  readonly what: string;
  readonly text: string;
  readonly mode: number;
}

/** Writes all or, where one of the files is there already, none. Keys are readable by their owner only. */
async function makeCertificates(folder: string, wishes: Wishes): Promise<readonly MadeFile[]> {
  const places = ['ca', 'server', ...wishes.client].flatMap((name) => [`${name}.pem`, `${name}.key`]);
  const there = places.map((name) => join(folder, name)).filter((path) => existsSync(path));
  if (there.length > 0) throw new CliError(EXIT.refused, `${there.join(', ')}: already there; nothing was written.`);
  // Loaded where it is needed: it takes a while, and no other command has use for it.
  const { createAuthority } = await import('@trove/common/certificates');
  const notAfter = new Date(Date.now() + wishes.days * DAY_MS);
  const ca = await createAuthority({ name: 'Trove trial CA', notAfter });
  const server = await ca.issue({ name: wishes.host[0] ?? 'server', use: 'server', hosts: wishes.host, notAfter });
  const files = [
    ...pair(folder, 'ca', ca, 'the authority: ssl_ca_file, ca_file, ssl_ca, OS_CACERT'),
    ...pair(folder, 'server', server, `for ${wishes.host.join(', ')}`),
  ];
  for (const name of wishes.client) {
    const client = await ca.issue({ name, use: 'client', notAfter });
    files.push(...pair(folder, name, client, `the client ${name}`));
  }
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  for (const { path, text, mode } of files) {
    writeFileSync(path, text, { mode, flag: 'wx' });
    chmodSync(path, mode);
  }
  return files;
}

function pair(folder: string, name: string, { cert, key }: { cert: string; key: string }, what: string): MadeFile[] {
  return [
    { path: join(folder, `${name}.pem`), what, text: cert, mode: 0o644 },
    { path: join(folder, `${name}.key`), what: 'its key', text: key, mode: 0o600 },
  ];
}
