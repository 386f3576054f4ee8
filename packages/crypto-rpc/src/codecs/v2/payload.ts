import { ERROR_CODES, type ErrorCode, TroveError } from '@trove/common';
import { Refusal } from '../../rpc/refusal.ts';
import type { CallContext } from '../../rpc/types.ts';
import { isJsonObject, type Json, type JsonObject, parseStrictObject } from './strict_json.ts';

/** What a request says, opened. */
export interface Request {
  readonly method: string;
  readonly version: string;
  readonly args: JsonObject;
  readonly context: CallContext;
  readonly fence: bigint | null;
  readonly idempotencyKey: string | null;
  /** The caller's reply queue, 16 hex digits; null for casts and reports. */
  readonly replyQueue: string | null;
}

export type Answer = { readonly result: Json } | { readonly error: TroveError };

const ERROR_MEMBERS = new Set(['code', 'message', 'retryable', 'details']);
const REPLY_QUEUE = /^[0-9a-f]{16}$/;
const DECIMAL = /^[0-9]{1,20}$/;

/** The request's JSON text; absent members are left out. */
export function requestText(request: Omit<Request, 'args'> & { readonly args: unknown }): string {
  return JSON.stringify({
    m: request.method,
    v: request.version,
    a: request.args,
    c: Object.keys(request.context).length === 0 ? undefined : pickContext(request.context),
    f: request.fence === null ? undefined : wireInteger(request.fence),
    k: request.idempotencyKey ?? undefined,
    q: request.replyQueue ?? undefined,
  });
}

export function replyText(result: unknown): string {
  return JSON.stringify({ r: result ?? null });
}

/** Code, public message, retry flag and details: no cause, no stack. */
export function errorText(error: TroveError): string {
  const { code, message, retryable, details } = error;
  return JSON.stringify({ e: { code, message: message.slice(0, 1000), retryable, details } });
}

/** Throws a `Refusal` (`content`) unless the bytes are exactly one request. */
export function parseRequest(plaintext: Buffer): Request {
  const { m, v, a, c, f, k, q, ...rest } = parseStrictObject(plaintext);
  if (Object.keys(rest).length > 0) throw new Refusal('content');
  return {
    method: shortText(m, 64),
    version: shortText(v, 16),
    args: object(a),
    context: c === undefined ? {} : parseContext(object(c)),
    fence: f === undefined ? null : parseInteger(f),
    idempotencyKey: k === undefined ? null : shortText(k, 64),
    replyQueue: q === undefined ? null : parseReplyQueue(q),
  };
}

/** Throws a `Refusal` (`content`) unless the bytes are exactly one reply (kind reply) or one error (kind error). */
export function parseAnswer(kind: 'reply' | 'error', plaintext: Buffer): Answer {
  const members = parseStrictObject(plaintext);
  if (Object.keys(members).length !== 1) throw new Refusal('content');
  const { r, e } = members;
  if (kind === 'reply') {
    if (r === undefined) throw new Refusal('content');
    return { result: r };
  }
  return { error: parseError(object(e)) };
}

function parseError(members: JsonObject): TroveError {
  const { code, message, retryable, details } = members;
  const known = typeof code === 'string' && isErrorCode(code);
  const shaped = typeof message === 'string' && message.length <= 1000 && typeof retryable === 'boolean';
  const listed = Object.keys(members).every((name) => ERROR_MEMBERS.has(name));
  if (!known || !shaped || !listed) throw new Refusal('content');
  return new TroveError(code, message, {
    retryable,
    ...(details === undefined ? {} : { details: { ...object(details) } }),
  });
}

export function isErrorCode(text: string): text is ErrorCode {
  return ERROR_CODES.some((code) => code === text);
}

function pickContext(context: CallContext): CallContext {
  const { request_id, project_id, user_id } = context;
  return {
    ...(request_id ? { request_id } : {}),
    ...(project_id ? { project_id } : {}),
    ...(user_id ? { user_id } : {}),
  };
}

function parseContext(members: JsonObject): CallContext {
  const { request_id, project_id, user_id, ...rest } = members;
  if (Object.keys(rest).length > 0) throw new Refusal('content');
  return {
    ...(request_id === undefined ? {} : { request_id: shortText(request_id, 255) }),
    ...(project_id === undefined ? {} : { project_id: shortText(project_id, 255) }),
    ...(user_id === undefined ? {} : { user_id: shortText(user_id, 255) }),
  };
}

/** Integers beyond 2^53−1 travel as decimal text. */
function wireInteger(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString();
}

function parseInteger(value: Json): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (typeof value === 'string' && DECIMAL.test(value)) return BigInt(value);
  throw new Refusal('content');
}

function parseReplyQueue(value: Json): string {
  if (typeof value !== 'string' || !REPLY_QUEUE.test(value)) throw new Refusal('content');
  return value;
}

function shortText(value: Json | undefined, maxLength: number): string {
  if (typeof value !== 'string' || value.length === 0 || value.length > maxLength) throw new Refusal('content');
  return value;
}

function object(value: Json | undefined): JsonObject {
  if (!isJsonObject(value)) throw new Refusal('content');
  return value;
}
