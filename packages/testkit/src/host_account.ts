import { readFileSync } from 'node:fs';
import { chown } from 'node:fs/promises';

/** The account that a server runs as: undefined where it is the one this process has. */
export type HostAccount = { uid: number; gid: number } | undefined;

/** As root, the first of these accounts that exists; database servers refuse to run as root, and need not. */
export function serverAccount(names: readonly string[]): HostAccount {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const name of [...names, 'nobody']) {
    const fields = accounts.find(([account]) => account === name);
    if (fields) return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new Error(
    `running as root, and this machine has none of the accounts ${names.join(', ')}, nobody to run servers as`,
  );
}

export async function giveTo(account: HostAccount, ...paths: string[]): Promise<void> {
  if (!account) return;
  for (const path of paths) await chown(path, account.uid, account.gid);
}
