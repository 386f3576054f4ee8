import { existsSync, readFileSync } from 'node:fs';
import { randomText, Secret, writeFileDurably } from '@trove/common';
import type { Account } from './folders.ts';

/** Trove's name for the agent's own account; hidden from tenants, who cannot take it. */
export const ADMIN_USER = 'os_admin';

const PASSWORD_LENGTH = 36;

/** The password of the agent's own account: made once, kept on the volume, readable by the database's account only. */
export function keepAdminPassword(file: string, account: Account | undefined): Secret {
  if (existsSync(file)) return readAdminPassword(file);
  const made = randomText(PASSWORD_LENGTH);
  writeFileDurably(
    file,
    JSON.stringify({ user: ADMIN_USER, password: made }),
    account === undefined ? {} : { owner: account },
  );
  return new Secret(made);
}

export function readAdminPassword(file: string): Secret {
  const { password } = JSON.parse(readFileSync(file, 'utf8')) as { password: string };
  return new Secret(password);
}
