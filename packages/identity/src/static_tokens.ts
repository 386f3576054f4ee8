import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { type Logger, TroveError } from '@trove/common';
import { Ajv } from 'ajv';
import { type Static, Type } from 'typebox';
import type { Caller, Identity } from './identity.ts';

const Text = Type.String({ minLength: 1, maxLength: 255 });

const TokensFile = Type.Object(
  {
    tokens: Type.Array(
      Type.Object(
        {
          token: Type.String({ minLength: 8, maxLength: 1024 }),
          user_id: Text,
          user_name: Text,
          /** `instances.tenant_id` holds 36 characters. */
          project_id: Type.String({ minLength: 1, maxLength: 36 }),
          roles: Type.Array(Text),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);

const OPEN_TO_OTHERS = 0o007;

/**
 * Tokens from a JSON file, read once. Throws `CONFIG_INVALID` naming file and member where the file cannot be read or has
 * another shape, where a token stands in it twice, or where the catalog could not tell two projects apart. Warns where everybody on the machine can read it.
 */
export async function loadStaticTokens(file: string, logger: Logger): Promise<Identity> {
  const parsed = await readTokens(file);
  if (((await stat(file)).mode & OPEN_TO_OTHERS) !== 0) {
    logger.warn('the file of static credentials is open to every user of this machine; its mode should be 0600', {
      file,
    });
  }
  return staticTokens(parsed, file);
}

/** The same from a value that was read already; `source` is named in errors. */
export function staticTokens(value: unknown, source: string): Identity {
  const { tokens } = checkShape(value, source);
  refuseProjectsAlike(
    tokens.map((entry) => entry.project_id),
    source,
  );
  // Salted with random bytes of this process, so that neither look-up nor comparison tells anything of a stored token.
  const salt = randomBytes(32).toString('hex');
  const digestOf = (token: string): Buffer => hash('sha256', salt + token, 'buffer');
  const callers = new Map<string, { digest: Buffer; caller: Caller }>();
  for (const entry of tokens) {
    const digest = digestOf(entry.token);
    const name = digest.toString('latin1');
    if (callers.has(name))
      throw new TroveError('CONFIG_INVALID', `${source}: two entries of tokens have the same token`);
    callers.set(name, { digest, caller: callerOf(entry) });
  }
  return {
    challenge: 'Keystone uri="none"',
    async authenticate(presented) {
      const digest = digestOf(presented);
      const found = callers.get(digest.toString('latin1'));
      return found && timingSafeEqual(found.digest, digest) ? found.caller : undefined;
    },
  };
}

/** MySQL compares `tenant_id` without case, accents and blanks at the end: such projects would list each other's instances. */
function refuseProjectsAlike(projectIds: readonly string[], source: string): void {
  const known = new Map<string, string>();
  for (const id of projectIds) {
    const compared = id.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase().trimEnd();
    if ((known.get(compared) ?? id) !== id)
      throw new TroveError('CONFIG_INVALID', `${source}: two project_id differ only in case, accents or blanks`);
    known.set(compared, id);
  }
}

function callerOf(entry: Static<typeof TokensFile>['tokens'][number]): Caller {
  return Object.freeze({
    userId: entry.user_id,
    userName: entry.user_name,
    projectId: entry.project_id,
    roles: Object.freeze([...entry.roles]),
  });
}

async function readTokens(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new TroveError('CONFIG_INVALID', `[static_auth] tokens_file: ${file} cannot be read`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch {
    // No cause: the parser's message quotes the text around the fault, which may be a token.
    throw new TroveError('CONFIG_INVALID', `[static_auth] tokens_file: ${file} is not JSON`);
  }
}

const ajv = new Ajv({ strict: false });
const isTokensFile = ajv.compile<Static<typeof TokensFile>>(TokensFile);

function checkShape(value: unknown, source: string): Static<typeof TokensFile> {
  if (isTokensFile(value)) return value;
  const error = isTokensFile.errors?.[0];
  const where = (error?.instancePath ?? '').slice(1).replaceAll('/', '.') || 'the file';
  const extra: unknown = error?.params['additionalProperty'];
  const what = typeof extra === 'string' ? `must not have a member ${extra}` : (error?.message ?? 'has another shape');
  throw new TroveError('CONFIG_INVALID', `${source}: ${where} ${what}`);
}
