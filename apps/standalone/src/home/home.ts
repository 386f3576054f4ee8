import { chmodSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { newUuid, randomText, TroveError, writeFileDurably } from '@trove/common';

/** Where a standalone control plane keeps its state: `$TROVE_HOME`, else `.trove` in the folder it is started from. */
export interface Home {
  readonly folder: string;
  /** The operator's, once it is written. */
  readonly configFile: string;
  readonly keysFile: string;
  readonly tokensFile: string;
  /** The API's address, for the `trove` command. */
  readonly endpointFile: string;
  readonly lockFile: string;
  readonly catalogFile: string;
  readonly instancesFolder: string;
}

/** The project that the admin and the first member share, and the second member's. */
export const PROJECTS = {
  shared: '56cca8484d3e48869126ada4f355c284',
  other: 'c7d7ffd3f1c24a5da8cbc1b3f1b3bb5e',
} as const;

export function homeAt(folder: string): Home {
  const at = (...names: string[]) => resolve(folder, ...names);
  return {
    folder: at(),
    configFile: at('trove.conf'),
    keysFile: at('keys', 'keys.conf'),
    tokensFile: at('tokens.json'),
    endpointFile: at('endpoint'),
    lockFile: at('lock'),
    catalogFile: at('catalog.sqlite'),
    instancesFolder: at('instances'),
  };
}

export function findHome(env: Readonly<Record<string, string | undefined>>): Home {
  return homeAt(env.TROVE_HOME ?? '.trove');
}

/**
 * Makes what is missing, and leaves alone what is there. Returns the files it made. `CONFIG_INVALID` where a catalog has
 * lost its keys: new ones would open none of its instances.
 */
export function prepareHome(home: Home): readonly string[] {
  if (!existsSync(home.keysFile) && (statSync(home.catalogFile, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    throw new TroveError(
      'CONFIG_INVALID',
      `${home.keysFile} is missing and ${home.catalogFile} is not: put the keys back.`,
    );
  }
  mkdirSync(join(home.folder, 'keys'), { recursive: true, mode: 0o700 });
  chmodSync(join(home.folder, 'keys'), 0o700);
  const made: string[] = [];
  const make = (path: string, text: () => string, mode: number) => {
    if (existsSync(path)) return;
    writeFileDurably(path, text(), { mode });
    made.push(path);
  };
  make(home.configFile, () => defaultConfig(home), 0o600);
  make(home.keysFile, newKeys, 0o600);
  make(home.tokensFile, newTokens, 0o600);
  // Empty is a catalog without tables; SQLite gives the files that it makes beside it this one's mode.
  make(home.catalogFile, () => '', 0o600);
  return made;
}

function defaultConfig(home: Home): string {
  return `# Written at the first start; yours from now on. Options: docs/configuration.md.
[DEFAULT]
bind_host = 127.0.0.1
bind_port = 8779
auth_strategy = static
compute_driver = local
log_level = warn

[database]
connection = sqlite:///${home.catalogFile}

[static_auth]
tokens_file = ${home.tokensFile}

[compute_local]
root = ${home.instancesFolder}
`;
}

const KEY_CHARACTERS = 48;

function newKeys(): string {
  return `# Made at the first start. Whoever has these can read every instance's key: keep the file closed, and keep a copy.
[DEFAULT]
taskmanager_rpc_encr_key = ${randomText(KEY_CHARACTERS)}
inst_rpc_key_encr_key = ${randomText(KEY_CHARACTERS)}
inst_rpc_uplink_encr_key = ${randomText(KEY_CHARACTERS)}
`;
}

const TOKEN_CHARACTERS = 40;

/** A token each for an admin and a member of one project and a member of another, as `tokens_file` has them. */
export function newTokens(): string {
  const entry = (user_name: string, project_id: string, roles: readonly string[]) => ({
    token: randomText(TOKEN_CHARACTERS),
    user_id: newUuid().replaceAll('-', ''),
    user_name,
    project_id,
    roles,
  });
  const tokens = [
    entry('admin', PROJECTS.shared, ['admin', 'member']),
    entry('member', PROJECTS.shared, ['member']),
    entry('other', PROJECTS.other, ['member']),
  ];
  return `${JSON.stringify({ tokens }, null, 2)}\n`;
}

/** The text of a file of this home that must be there. */
export function readHomeFile(path: string): string {
  return readFileSync(path, 'utf8');
}
