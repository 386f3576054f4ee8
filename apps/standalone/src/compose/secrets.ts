import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomText, TroveError, writeFileDurably } from '@trove/common';

/** Everything that nobody but the stack knows, by what it is for. Letters and digits: it goes into URLs and SQL as it is. */
const LENGTHS = {
  /** The person who looks after the broker. */
  brokerOperator: 32,
  /** Makes the guests' accounts, for the taskmanager. */
  brokerProvisioner: 32,
  brokerApi: 32,
  brokerTaskmanager: 32,
  brokerConductor: 32,
  /** The account that all legacy guests share, with the vhost that is theirs. */
  brokerLegacy: 32,
  databaseRoot: 32,
  databaseManage: 32,
  databaseApi: 32,
  databaseTaskmanager: 32,
  databaseConductor: 32,
  controlKey: 48,
  instanceKey: 48,
  uplinkKey: 48,
} as const;

export type StackSecrets = Readonly<Record<keyof typeof LENGTHS, string>>;

/** One folder per service below `root`, each a volume that only this service mounts besides `init`. */
export interface StackPlace {
  readonly root: string;
}

const FILE = 'secrets/secrets.json';

/**
 * The secrets of this stack, made at the first call; one that a later release needs besides is added. `CONFIG_INVALID` where
 * they are gone and what was made with them is not: new ones would open no catalog and no instance's key.
 */
export function keepSecrets({ root }: StackPlace): { readonly secrets: StackSecrets; readonly made: boolean } {
  const file = join(root, FILE);
  const known = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<StackSecrets>) : undefined;
  if (known === undefined && existsSync(join(root, 'mysql')) && readdirSync(join(root, 'mysql')).length > 0)
    throw new TroveError('CONFIG_INVALID', `${file} is gone and the stack has run before: put it back.`);
  const missing = Object.entries(LENGTHS).filter(([name]) => known === undefined || !(name in known));
  const secrets = { ...known, ...Object.fromEntries(missing.map(([name, length]) => [name, randomText(length)])) };
  if (missing.length > 0) writeFileDurably(file, `${JSON.stringify(secrets, null, 2)}\n`);
  return { secrets: secrets as StackSecrets, made: known === undefined };
}
