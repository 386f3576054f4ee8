import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileDurably } from '@trove/common';
import { newTokens } from '../home/home.ts';
import { brokerDefinitions, brokerSettings } from './broker_definitions.ts';
import { keepSecrets, type StackPlace } from './secrets.ts';
import { databaseAccounts, serviceFiles } from './service_files.ts';

/** Where `rabbitmq` puts its files before it starts, in a folder of its own account. */
const DEFINITIONS = '/etc/rabbitmq/definitions.json';

/**
 * Makes keys, passwords, tokens and each service's file where they are missing; every file has mode 0600. What an operator may
 * have changed stays; what only this release knows is brought up to date. Returns what to tell.
 */
export function initStack(place: StackPlace): readonly string[] {
  const { secrets, made } = keepSecrets(place);
  const at = (name: string) => join(place.root, name);
  const accounts = { rootPassword: secrets.databaseRoot, accounts: databaseAccounts(secrets) };
  const once = { ...serviceFiles(secrets), 'api/tokens.json': newTokens() };
  const followed = {
    'mysql/root-password': secrets.databaseRoot,
    'mysql/root.cnf': `[client]\nuser = root\npassword = ${secrets.databaseRoot}\nhost = 127.0.0.1\n`,
    'catalog/accounts.json': `${JSON.stringify(accounts, null, 2)}\n`,
    'rabbitmq/definitions.json': brokerDefinitions(secrets),
    'rabbitmq/90-trove.conf': brokerSettings(DEFINITIONS),
  };
  for (const [name, text] of Object.entries(once)) if (!existsSync(at(name))) writeFileDurably(at(name), text);
  for (const [name, text] of Object.entries(followed))
    if (!existsSync(at(name)) || readFileSync(at(name), 'utf8') !== text) writeFileDurably(at(name), text);
  return [
    made
      ? 'Keys, passwords and tokens are made, each service has its own in a volume.'
      : 'Keys, passwords and tokens are there.',
    'The first tokens (admin, member, other):  docker compose exec api cat /etc/trove/tokens.json',
    'Passwords of broker and catalog:  docker compose run --rm init cat /stack/secrets/secrets.json',
  ];
}
