import { setTimeout as delay } from 'node:timers/promises';
import { newUuid, type PlainFetch, type PlainResponse } from '@trove/common';
import type { Connection } from './connection.ts';
import { CliError, EXIT } from './exit.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export interface TroveClient {
  get(path: string): Promise<JsonObject>;
  /** The object, or undefined where the answer is 404. */
  find(path: string): Promise<JsonObject | undefined>;
  send(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: Json): Promise<JsonObject>;
  /** A request that files a task. It goes under one `Idempotency-Key`, so it is sent again where nothing came back or the server could not serve. */
  file(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: Json): Promise<Filed>;
  /** The items under `member` of every page, or of one page where `limit` is given. */
  list(path: string, member: string, page?: PageOptions): Promise<JsonObject[]>;
}

export interface Filed {
  readonly answer: JsonObject;
  /** Undefined from a server that does not name its tasks. */
  readonly taskId: string | undefined;
}

export interface PageOptions {
  readonly limit?: string | undefined;
  readonly marker?: string | undefined;
}

interface Answer {
  readonly status: number;
  readonly headers: PlainResponse['headers'];
  readonly body: Json;
}

const TRIES = 4;
const BROKEN = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);
const BROKEN_MS = 500;
const LONGEST_PAUSE_S = 10;
/** The contracts have it too; without their schemas this program starts in half the time. */
const TASK_HEADER = 'x-trove-task-id';

/** Requests to one project of one control plane. Throws `CliError` with the server's own text. */
export function createTroveClient(
  connection: Connection,
  fetchFunction: PlainFetch,
  outputs: { readonly stderr: { write(text: string): unknown } },
): TroveClient {
  const request = async (method: string, path: string, body?: Json, key?: string): Promise<Answer> => {
    const { status, headers, text } = await call(connection, fetchFunction, { method, path, body, key });
    return { status, headers, body: parse(text, headers.get('content-type')) };
  };
  const checked = async (method: string, path: string, body?: Json): Promise<JsonObject> => {
    const answer = await request(method, path, body);
    if (answer.status >= 400) throw refusal(answer, connection);
    return asObject(answer.body);
  };
  const file: TroveClient['file'] = async (method, path, body) => {
    const key = newUuid();
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await request(method, path, body, key);
        if (answer.status >= 400) throw refusal(answer, connection);
        return { answer: asObject(answer.body), taskId: answer.headers.get(TASK_HEADER) ?? undefined };
      } catch (error) {
        const againAfterMs = error instanceof CliError && attempt < TRIES ? error.againAfterMs : undefined;
        if (againAfterMs === undefined) throw error;
        outputs.stderr.write(`trove: ${(error as CliError).message} Trying again.\n`);
        await delay(againAfterMs);
      }
    }
  };
  return {
    get: (path) => checked('GET', path),
    async find(path) {
      const answer = await request('GET', path);
      if (answer.status === 404) return undefined;
      if (answer.status >= 400) throw refusal(answer, connection);
      return asObject(answer.body);
    },
    send: checked,
    file,
    list: (path, member, page = {}) => collect((pagePath) => checked('GET', pagePath), path, member, page),
  };
}

async function collect(
  get: (path: string) => Promise<JsonObject>,
  path: string,
  member: string,
  page: PageOptions,
): Promise<JsonObject[]> {
  const items: JsonObject[] = [];
  let marker = page.marker;
  for (;;) {
    const answer = await get(withPage(path, page.limit, marker));
    items.push(...asArray(answer[member]).map(asObject));
    marker = nextMarker(answer.links);
    if (marker === undefined || page.limit !== undefined) return items;
  }
}

function withPage(path: string, limit: string | undefined, marker: string | undefined): string {
  const query = new URLSearchParams();
  if (limit !== undefined) query.set('limit', limit);
  if (marker !== undefined) query.set('marker', marker);
  return query.size === 0 ? path : `${path}?${query.toString()}`;
}

function nextMarker(links: Json | undefined): string | undefined {
  for (const link of asArray(links).map(asObject)) {
    if (link.rel === 'next' && typeof link.href === 'string')
      return new URL(link.href).searchParams.get('marker') ?? undefined;
  }
  return undefined;
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: Json | undefined;
  readonly key: string | undefined;
}

async function call(
  connection: Connection,
  fetchFunction: PlainFetch,
  { method, path, body, key }: Asked,
): Promise<Pick<PlainResponse, 'status' | 'headers'> & { text: string }> {
  const headers: Record<string, string> = { 'X-Auth-Token': connection.token.reveal(), Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (key !== undefined) headers['Idempotency-Key'] = key;
  try {
    const response = await fetchFunction(`${connection.base}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw unreachable(connection.base, error);
  }
}

/** A connection that nobody takes is told at once; one that broke is worth another try. */
function unreachable(base: string, error: unknown): CliError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  const { origin } = new URL(base);
  if (BROKEN.has(code))
    return new CliError(EXIT.unreachable, `The connection to ${origin} broke (${code}).`, BROKEN_MS);
  const why = code === 'ECONNREFUSED' ? 'nothing listens there' : code;
  const start = 'Start a control plane on this machine with `npm start`, or set TROVE_URL to one that runs.';
  return new CliError(EXIT.unreachable, `Cannot reach ${origin}: ${why}.\n  ${start}`);
}

function refusal({ status, headers, body }: Answer, { base, tokenFrom }: Connection): CliError {
  const exitCode = status === 404 ? EXIT.notFound : EXIT.refused;
  const unknown = status === 401 ? `\n  ${new URL(base).origin} does not know the token of ${tokenFrom}.` : '';
  const text = `${messageOf(body) ?? 'The server gave no reason.'} (HTTP ${status})${unknown}`;
  return new CliError(exitCode, text, status === 503 ? pauseMs(headers.get('retry-after')) : undefined);
}

function pauseMs(retryAfter: string | null): number {
  const seconds = retryAfter !== null && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : 1;
  return Math.min(seconds, LONGEST_PAUSE_S) * 1000;
}

/** Trove's error text: `message` at the top, else in the first member. */
function messageOf(body: Json): string | undefined {
  const top = asObject(body);
  const first = asObject(Object.values(top)[0]);
  const message = top.message ?? first.message;
  return typeof message === 'string' ? message : undefined;
}

function parse(text: string, contentType: string | null): Json {
  if (text === '') return {};
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new CliError(
      EXIT.refused,
      `The answer is not JSON (${contentType ?? 'no content type'}): is this a Trove endpoint?`,
    );
  }
}

export function asObject(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

export function asArray(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

export function asText(value: Json | undefined): string {
  if (value === undefined) return '';
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
