import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isUuid, Secret } from '@trove/common';
import { CliError, EXIT } from './exit.ts';

/** Where requests go and as whom. `base` ends in `/v1.0/<project>`, without a slash at its end. */
export interface Connection {
  readonly base: string;
  readonly token: Secret;
  /** Where the token was found, for a person: a variable's name or a file's. */
  readonly tokenFrom: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_URL = 'http://127.0.0.1:8779';
const TOKEN_VARIABLES = ['TROVE_TOKEN', 'OS_AUTH_TOKEN', 'OS_TOKEN'] as const;

/**
 * `TROVE_*` wins over `OS_*`, and both over the files of a standalone control plane in `$TROVE_HOME`.
 * @param userName picks a token of `tokens.json` by its user; default `TROVE_USER`, else the first one, an admin.
 */
export function findConnection(env: Environment, userName?: string): Connection {
  const home = resolve(env.TROVE_HOME ?? '.trove');
  const tokenFrom = TOKEN_VARIABLES.find((name) => env[name] !== undefined);
  const url = env.TROVE_URL ?? env.OS_DATABASE_ENDPOINT_OVERRIDE ?? env.OS_STORAGE_URL ?? env.OS_ENDPOINT;
  if (tokenFrom !== undefined && userName === undefined) {
    const project = env.TROVE_PROJECT_ID ?? env.OS_PROJECT_ID ?? env.OS_TENANT_ID;
    return { base: baseUrl(url ?? endpointOf(home), project), token: new Secret(env[tokenFrom] ?? ''), tokenFrom };
  }
  const entry = pickUser(readTokens(home, env), userName ?? env.TROVE_USER, home);
  return {
    base: baseUrl(url ?? endpointOf(home), env.TROVE_PROJECT_ID ?? entry.project_id),
    token: new Secret(entry.token),
    tokenFrom: join(home, 'tokens.json'),
  };
}

interface TokenEntry {
  readonly token: string;
  readonly user_name: string;
  readonly project_id: string;
}

function readTokens(home: string, env: Environment): TokenEntry[] {
  const text = readText(join(home, 'tokens.json'));
  if (text === undefined) throw new CliError(EXIT.usage, howToConnect(home, env));
  const tokens = parseTokens(text);
  if (tokens === undefined || tokens.length === 0)
    throw new CliError(EXIT.usage, `${join(home, 'tokens.json')} holds no tokens.`);
  return tokens;
}

function parseTokens(text: string): TokenEntry[] | undefined {
  try {
    const parsed = JSON.parse(text) as { tokens?: TokenEntry[] };
    return Array.isArray(parsed.tokens) ? parsed.tokens : undefined;
  } catch {
    return undefined;
  }
}

function pickUser(tokens: readonly TokenEntry[], userName: string | undefined, home: string): TokenEntry {
  const found = userName === undefined ? tokens[0] : tokens.find((entry) => entry.user_name === userName);
  if (found !== undefined) return found;
  const names = tokens.map((entry) => entry.user_name).join(', ');
  throw new CliError(EXIT.usage, `No user '${userName ?? ''}' in ${join(home, 'tokens.json')}. There are: ${names}.`);
}

function endpointOf(home: string): string {
  return readText(join(home, 'endpoint'))?.trim() ?? DEFAULT_URL;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'error';
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    const who = 'Call trove as the account that runs the control plane, or set TROVE_TOKEN and TROVE_PROJECT_ID.';
    throw new CliError(EXIT.usage, `${path} cannot be read (${code}).\n  ${who}`);
  }
}

function baseUrl(url: string, project: string | undefined): string {
  const cut = url.replace(/\/+$/, '');
  if (!isEndpoint(cut))
    // Not repeated: it may have a password in it.
    throw new CliError(
      EXIT.usage,
      'The endpoint is no address. TROVE_URL takes http://HOST:PORT or https://HOST:PORT.',
    );
  if (/\/v1\.0\/[^/]+$/.test(cut)) return cut;
  if (project === undefined || project === '') {
    throw new CliError(EXIT.usage, `The endpoint ${cut} names no project. Set TROVE_PROJECT_ID or OS_PROJECT_ID.`);
  }
  return `${cut.endsWith('/v1.0') ? cut : `${cut}/v1.0`}/${encodeURIComponent(project)}`;
}

function isEndpoint(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
}

function howToConnect(home: string, env: Environment): string {
  const lines = [
    `No token: there is no ${join(home, 'tokens.json')}, and neither TROVE_TOKEN nor OS_TOKEN is set.`,
    '  To try a control plane on this machine, run `npm start` in the checkout and call trove from the same folder',
    '  (or set TROVE_HOME to the folder it names at start).',
    '  For another one, set TROVE_URL, TROVE_TOKEN and TROVE_PROJECT_ID.',
  ];
  if (env.OS_USERNAME !== undefined) {
    lines.push(
      '  OS_USERNAME and OS_PASSWORD are not used: get a token with `openstack token issue` and set OS_TOKEN.',
    );
  }
  return lines.join('\n');
}

/** Whether an argument may be an id rather than a name. */
export function looksLikeId(text: string): boolean {
  return isUuid(text.toLowerCase());
}
