import { Readable } from 'node:stream';
import { createCli } from '../src/cli.ts';

export const ID = '0f4a3d56-7b0c-4b0e-9b61-0c0f5f7e9a01';
export const OTHER = '1f4a3d56-7b0c-4b0e-9b61-0c0f5f7e9a02';

/** One answer of the server; what it throws is what `fetch` would reject with. */
export type Route = (body: unknown) => { status?: number; body?: unknown; headers?: Record<string, string> };

/** A server of fixed answers that writes down what it was asked. */
export function harness(
  routes: Record<string, Route>,
  stdinText?: string,
  terminal: { isTTY?: boolean; columns?: number } = {},
) {
  const asked: { request: string; body: unknown; token: string | null; key: string | null }[] = [];
  let interrupt: (() => void) | undefined;
  const out: string[] = [];
  const err: string[] = [];
  const fetchFunction: typeof fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const request = `${init?.method ?? 'GET'} ${url.pathname.replace('/v1.0/p1', '')}${url.search}`;
    const body: unknown = typeof init?.body === 'string' ? JSON.parse(init.body) : undefined;
    const headers = new Headers(init?.headers);
    asked.push({ request, body, token: headers.get('x-auth-token'), key: headers.get('idempotency-key') });
    const answer = routes[request]?.(body) ?? {
      status: 404,
      body: { itemNotFound: { code: 404, message: 'not here' } },
    };
    return new Response(answer.body === undefined ? null : JSON.stringify(answer.body), {
      status: answer.status ?? 200,
      headers: answer.headers ?? {},
    });
  };
  const cli = createCli({
    fetch: fetchFunction,
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text), ...terminal },
    onInterrupt: (listener) => {
      interrupt = listener;
      return () => (interrupt = undefined);
    },
    ...(stdinText === undefined ? {} : { stdin: Readable.from([stdinText]) }),
    env: { TROVE_URL: 'http://trove.test:8779', TROVE_TOKEN: 't1', TROVE_PROJECT_ID: 'p1', TROVE_HOME: '/nowhere' },
  });
  return {
    asked,
    run: (...argv: string[]) => cli.run(argv),
    out: () => out.join(''),
    err: () => err.join(''),
    interrupt: () => interrupt?.(),
  };
}

/** The cells of a table's lines, rules left out. */
export const cells = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

export const instance = (members: object = {}) => ({
  id: ID,
  name: 'm2',
  status: 'ACTIVE',
  operating_status: 'HEALTHY',
  flavor: { id: '25', links: [] },
  datastore: { type: 'mysql', version: '5.6' },
  volume: { size: 3, used: 0.12 },
  region: 'RegionOne',
  links: [{ rel: 'self', href: 'x' }],
  server_id: null,
  encrypted_rpc_messaging: false,
  addresses: [{ address: '127.0.0.1', type: 'private', port: 40001 }],
  ...members,
});

export const listed = (...instances: object[]) => ({ 'GET /instances': () => ({ body: { instances } }) });

export const TASK = '2f4a3d56-7b0c-4b0e-9b61-0c0f5f7e9a03';
export const TASK_PATH = `/instances/${ID}/tasks/${TASK}`;
export const step = (name: string, state: string, members: object = {}) => ({
  ...{ name, state, attempts: 1, started: '2024-05-01T10:20:30', finished: null, progress: null },
  ...members,
});
export const task = (members: object = {}) => ({
  ...{ id: TASK, kind: 'restart_instance', instance_id: ID, state: 'waiting', step: 'await_report' },
  ...{ steps_done: 1, steps_total: 2, cancel_requested: false, created: '2024-05-01T10:20:30', updated: 'then' },
  steps: [step('restart', 'done'), step('await_report', 'running', { progress: 'no report yet' })],
  ...members,
});
