import type { PlainFetch, PlainResponse } from '@trove/common';
import type { Connection } from './connection.ts';
import { CliError, EXIT } from './exit.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export interface TroveClient {
  get(path: string): Promise<JsonObject>;
  /** The object, or undefined where the answer is 404. */
  find(path: string): Promise<JsonObject | undefined>;
  send(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: Json): Promise<JsonObject>;
  /** The items under `member` of every page, or of one page where `limit` is given. */
  list(path: string, member: string, page?: PageOptions): Promise<JsonObject[]>;
}

export interface PageOptions {
  readonly limit?: string | undefined;
  readonly marker?: string | undefined;
}

/** Requests to one project of one control plane. Throws `CliError` with the server's own text. */
export function createTroveClient(connection: Connection, fetchFunction: PlainFetch): TroveClient {
  const request = async (method: string, path: string, body?: Json) => {
    const response = await call(connection, fetchFunction, method, path, body);
    return { status: response.status, body: parse(await response.text(), response.headers.get('content-type')) };
  };
  const checked = async (method: string, path: string, body?: Json): Promise<JsonObject> => {
    const answer = await request(method, path, body);
    if (answer.status >= 400) throw refusal(answer.status, answer.body);
    return asObject(answer.body);
  };
  return {
    get: (path) => checked('GET', path),
    async find(path) {
      const answer = await request('GET', path);
      if (answer.status === 404) return undefined;
      if (answer.status >= 400) throw refusal(answer.status, answer.body);
      return asObject(answer.body);
    },
    send: checked,
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

async function call(
  connection: Connection,
  fetchFunction: PlainFetch,
  method: string,
  path: string,
  body: Json | undefined,
): Promise<PlainResponse> {
  const headers: Record<string, string> = { 'X-Auth-Token': connection.token.reveal(), Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  try {
    return await fetchFunction(`${connection.base}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(EXIT.unreachable, unreachable(connection.base, error));
  }
}

function unreachable(base: string, error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  const why = code === 'ECONNREFUSED' ? 'nothing listens there' : code;
  return `Cannot reach ${new URL(base).origin}: ${why}.\n  Start a control plane on this machine with \`npm start\`, or set TROVE_URL to one that runs.`;
}

function refusal(status: number, body: Json): CliError {
  const exitCode = status === 404 ? EXIT.notFound : EXIT.refused;
  return new CliError(exitCode, `${messageOf(body) ?? 'The server gave no reason.'} (HTTP ${status})`);
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
