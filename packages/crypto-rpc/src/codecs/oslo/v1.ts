import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Refusal } from '../../rpc/refusal.ts';
import { isJsonObject, type Json, type JsonObject, parseStrictText } from '../v2/strict_json.ts';
import type { Members } from './envelope.ts';
import { pythonJson } from './python_json.ts';

/**
 * Trove's own sealing, for guests that an existing deployment left: confidentiality and nothing more. Method names and
 * failures stay in clear, and there is no integrity: whoever can write to the queue can bend a ciphertext unnoticed.
 * @module
 */

const BLOCK = 16;
const SENDER = 'csz-instance-id';

/** Arguments and context as a taskmanager sends them to a v1 guest. `cipherKey`: `legacyCipherKey` of Ki. */
export function sealDown(
  args: Members,
  context: JsonObject,
  cipherKey: Buffer,
): { args: JsonObject; context: JsonObject } {
  const sealed = Object.entries(args).map(([name, value]) => [name, encrypt(pythonJson(value), cipherKey)]);
  return { args: Object.fromEntries(sealed), context: { context: encrypt(pythonJson(context), cipherKey) } };
}

/** The inverse of `sealDown`. Throws a `Refusal` (`open`, `content`): also where any argument came in clear. */
export function openDown(
  args: JsonObject,
  context: JsonObject,
  cipherKey: Buffer,
): { args: JsonObject; context: JsonObject } {
  const opened = Object.entries(args).map(([name, value]) => [name, openValue(value, cipherKey)]);
  return { args: Object.fromEntries(opened), context: openContext(context, cipherKey) };
}

/** The instance whose key a guest's message claims to be under, or undefined: then it claims to be in clear. */
export function claimedSender(context: JsonObject): string | undefined {
  const id = context[SENDER];
  return typeof id === 'string' ? id : undefined;
}

/**
 * A guest's message to the conductor: each argument is the JSON text of entity and instance id, and each must name
 * `instanceId`. Throws a `Refusal` (`open`, `content`, `foreign_id`): also where any argument came in clear.
 */
export function openUp(
  args: JsonObject,
  context: JsonObject,
  instanceId: string,
  cipherKey: Buffer,
): { args: JsonObject; context: JsonObject } {
  if (claimedSender(context) !== instanceId) throw new Refusal('foreign_id');
  const opened = Object.entries(args).map(([name, value]) => [name, openEntity(value, instanceId, cipherKey)]);
  return { args: Object.fromEntries(opened), context: openContext(context, cipherKey) };
}

/** One encrypted value: an argument, or the result of a reply. */
export function openValue(value: Json, cipherKey: Buffer): Json {
  if (typeof value !== 'string') throw new Refusal('open');
  return parseJson(decrypt(value, cipherKey));
}

function openEntity(value: Json, instanceId: string, cipherKey: Buffer): Json {
  if (typeof value !== 'string') throw new Refusal('open');
  const { entity, [SENDER]: sender } = parseStrictText(value);
  if (entity === undefined) throw new Refusal('open');
  if (sender !== instanceId) throw new Refusal('foreign_id');
  return openValue(entity, cipherKey);
}

function openContext(context: JsonObject, cipherKey: Buffer): JsonObject {
  const opened = openValue(context['context'] ?? null, cipherKey);
  if (!isJsonObject(opened)) throw new Refusal('content');
  return opened;
}

/** Any JSON value, held to the same strictness as an object. */
function parseJson(text: string): Json {
  const members = parseStrictText(`{"value":${text}}`);
  if (Object.keys(members).length !== 1) throw new Refusal('content');
  return members['value'] ?? null;
}

function encrypt(text: string, cipherKey: Buffer): string {
  const iv = randomBytes(BLOCK);
  const cipher = createCipheriv('aes-256-cbc', cipherKey, iv);
  return Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final()]).toString('base64');
}

function decrypt(text: string, cipherKey: Buffer): string {
  const bytes = Buffer.from(text, 'base64');
  const wellFormed = bytes.length >= 2 * BLOCK && bytes.length % BLOCK === 0 && bytes.toString('base64') === text;
  if (!wellFormed) throw new Refusal('open');
  try {
    const decipher = createDecipheriv('aes-256-cbc', cipherKey, bytes.subarray(0, BLOCK));
    const plain = Buffer.concat([decipher.update(bytes.subarray(BLOCK)), decipher.final()]);
    return new TextDecoder('utf-8', { fatal: true }).decode(plain);
  } catch {
    throw new Refusal('open');
  }
}
