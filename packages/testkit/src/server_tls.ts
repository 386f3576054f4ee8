import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { giveTo, type HostAccount } from './host_account.ts';

/** What a server speaks TLS with, in PEM. */
export interface ServerTls {
  /** Whose client certificates it takes. */
  ca: string;
  cert: string;
  key: string;
  clientCertificates?: 'required';
}

export interface ServerTlsFiles {
  ca: string;
  cert: string;
  key: string;
}

export async function writeServerTls(folder: string, tls: ServerTls, account: HostAccount): Promise<ServerTlsFiles> {
  const place = join(folder, 'tls');
  await mkdir(place);
  const files = { ca: join(place, 'ca.pem'), cert: join(place, 'server.pem'), key: join(place, 'server.key') };
  await Promise.all([
    writeFile(files.ca, tls.ca),
    writeFile(files.cert, tls.cert),
    writeFile(files.key, tls.key, { mode: 0o600 }),
  ]);
  await giveTo(account, place, files.ca, files.cert, files.key);
  return files;
}
