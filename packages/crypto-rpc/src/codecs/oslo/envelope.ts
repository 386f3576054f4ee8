import { Refusal } from '../../rpc/refusal.ts';
import { MAX_ENVELOPE_LENGTH } from '../v2/header.ts';
import { isJsonObject, type Json, type JsonObject, parseStrictObject, parseStrictText } from '../v2/strict_json.ts';
import { pythonJson } from './python_json.ts';

export const CONTENT_TYPE = 'application/json';
export const CONTENT_ENCODING = 'utf-8';
const OSLO_VERSION = '2.0';
const CONTEXT_PREFIX = '_context_';

/** What an oslo.messaging request carries; the values of `args` and `context` may still be encrypted. */
export interface OsloRequest {
  readonly method: string;
  readonly args: JsonObject;
  readonly version: string;
  readonly uniqueId: string;
  readonly context: JsonObject;
  /** Both null for a cast. */
  readonly callId: string | null;
  readonly replyQueue: string | null;
}

/** Members of an object to be written; their values must be JSON. */
export type Members = Readonly<Record<string, unknown>>;

export interface OsloReply {
  readonly callId: string;
  readonly uniqueId: string;
  readonly result: Json;
  /** A JSON text (`failure.ts`), or null. */
  readonly failure: string | null;
}

/** The body of a request, its members in the order in which oslo.messaging writes them. */
export function writeRequest(request: Omit<OsloRequest, 'args'> & { readonly args: Members }): Buffer {
  const call = request.callId === null ? {} : { _msg_id: request.callId, _reply_q: request.replyQueue, _timeout: null };
  const context = Object.entries(request.context).map(([name, value]) => [`${CONTEXT_PREFIX}${name}`, value]);
  return writeEnvelope({
    method: request.method,
    args: request.args,
    version: request.version,
    ...call,
    _unique_id: request.uniqueId,
    ...Object.fromEntries(context),
  });
}

export function writeReply(reply: OsloReply): Buffer {
  return writeEnvelope({
    result: reply.result,
    failure: reply.failure,
    ending: true,
    _msg_id: reply.callId,
    _unique_id: reply.uniqueId,
  });
}

/** Throws a `Refusal` (`size`, `content`) and nothing else. */
export function parseRequest(body: Buffer): OsloRequest {
  const message = parseEnvelope(body);
  const { method, args, version, _unique_id, _msg_id, _reply_q } = message;
  return {
    method: text(method),
    args: args === undefined ? {} : object(args),
    version: version === undefined || version === null ? '1.0' : text(version),
    uniqueId: text(_unique_id),
    context: contextOf(message),
    callId: textOrNull(_msg_id),
    replyQueue: textOrNull(_reply_q),
  };
}

/** Throws a `Refusal` (`size`, `content`) and nothing else. */
export function parseReply(body: Buffer): OsloReply {
  const { result, failure, _msg_id, _unique_id } = parseEnvelope(body);
  return { callId: text(_msg_id), uniqueId: text(_unique_id), result: result ?? null, failure: textOrNull(failure) };
}

function writeEnvelope(message: Members): Buffer {
  return Buffer.from(pythonJson({ 'oslo.version': OSLO_VERSION, 'oslo.message': pythonJson(message) }), 'ascii');
}

function parseEnvelope(body: Buffer): JsonObject {
  if (body.length > MAX_ENVELOPE_LENGTH) throw new Refusal('size');
  const envelope = parseStrictObject(body);
  const message = envelope['oslo.message'];
  if (envelope['oslo.version'] !== OSLO_VERSION) throw new Refusal('content');
  return parseStrictText(text(message));
}

function contextOf(message: JsonObject): JsonObject {
  const members = Object.entries(message)
    .filter(([name]) => name.startsWith(CONTEXT_PREFIX))
    .map(([name, value]) => [name.slice(CONTEXT_PREFIX.length), value]);
  return Object.fromEntries(members);
}

function text(value: Json | undefined): string {
  if (typeof value !== 'string') throw new Refusal('content');
  return value;
}

function textOrNull(value: Json | undefined): string | null {
  return value === undefined || value === null ? null : text(value);
}

function object(value: Json): JsonObject {
  if (!isJsonObject(value)) throw new Refusal('content');
  return value;
}
