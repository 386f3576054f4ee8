import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Catalog, openCatalog, syncCatalog } from '@trove/catalog';
import { loadConfig, silentLogger } from '@trove/common';
import { detachedAgents, openLocalCompute, taskmanagerOptions } from '@trove/taskmanager';
import { freePort, type ServiceProgram, startServiceProgram, testBroker, testDatabase } from '@trove/testkit';
import { registerDatastores } from '../../src/register_datastores.ts';

export const APPS = join(import.meta.dirname, '../../..');
const PROJECT = '56cca8484d3e48869126ada4f355c284';
const TASK_WITHIN_MS = 240_000;
const TOKEN = 'token-of-the-test';
/** For the `trove` command. */
export const TOKEN_ENV = { TROVE_TOKEN: TOKEN, TROVE_PROJECT_ID: PROJECT };

export type ServiceName = 'api' | 'taskmanager' | 'conductor';

export interface Answer {
  readonly code: number;
  readonly headers: Headers;
  /** Whatever JSON came. */
  readonly body: unknown;
}

export interface RunningService {
  readonly name: ServiceName;
  readonly program: ServiceProgram;
  /** Where an api listens; of the others no one. */
  readonly url: string;
  health(): Promise<{ code: number; text: string }>;
}

/** Api, taskmanager and conductor as processes of their own on a broker and a database, with real guests of this machine. */
export interface Services {
  readonly catalog: Catalog;
  readonly connection: string;
  start(name: ServiceName, settings?: string): Promise<RunningService>;
  /** A request to an api; rejects where nobody answers. */
  ask(api: RunningService, method: string, path: string, options?: AskOptions): Promise<Answer>;
  /** Stops what still runs, and takes away all guests. */
  dispose(): Promise<void>;
}

export interface AskOptions {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** Rejects where there is no answer by then; default: waits. */
  readonly withinMs?: number;
}

export async function openServices(urls: { amqp: string; mysql: string }, settings = ''): Promise<Services> {
  const broker = await testBroker({ TROVE_TEST_AMQP_URL: urls.amqp });
  const database = await testDatabase({ TROVE_TEST_MYSQL_URL: urls.mysql });
  const folder = mkdtempSync(join(tmpdir(), 'trove-outages-'));
  // The guests' account has to pass through to its own folders.
  chmodSync(folder, 0o711);
  const token = { token: TOKEN, user_id: 'u', user_name: 'u', project_id: PROJECT, roles: ['admin'] };
  writeFileSync(join(folder, 'tokens.json'), JSON.stringify({ tokens: [token] }), { mode: 0o600 });
  const config = (more: string): string => `[DEFAULT]
transport_url = ${broker.url}
taskmanager_rpc_encr_key = k1-of-a-test
inst_rpc_key_encr_key = kek-of-a-test
host = outages
report_interval = 2
default_datastore = postgresql
max_instances_per_tenant = 40
${settings}
${more}
[database]
connection = ${database.url}
[static_auth]
tokens_file = ${folder}/tokens.json
[compute_local]
root = ${folder}/instances`;
  const catalog = openCatalog({ connection: database.url });
  await syncCatalog(catalog.knex, {});
  const file = join(folder, 'trove.conf');
  writeFileSync(file, config(''), { mode: 0o600 });
  const guests = openLocalCompute(
    loadConfig({ files: [file], env: {}, options: taskmanagerOptions, service: 'test', onUnused: () => undefined }),
    detachedAgents,
    silentLogger,
  );
  await registerDatastores(catalog, await guests.compute.images());
  const running: RunningService[] = [];
  return {
    catalog,
    connection: database.url,
    async start(name, more = '') {
      const [port, healthPort] = [await freePort(), await freePort()];
      const own = `health_port = ${healthPort}\n${name === 'api' ? `bind_host = 127.0.0.1\nbind_port = ${port}` : ''}`;
      const program = startServiceProgram(join(APPS, name, 'bin', `trove-${name}.js`), config(`${own}\n${more}`));
      const said = await program.started();
      if (!said.includes(`trove-${name} ready`)) throw new Error(`trove-${name} did not start: ${said}`);
      const service = {
        ...{ name, program, url: `http://127.0.0.1:${port}` },
        health: async () => {
          const answer = await fetch(`http://127.0.0.1:${healthPort}/healthcheck`);
          return { code: answer.status, text: await answer.text() };
        },
      };
      running.push(service);
      return service;
    },
    ask: (api, method, path, options = {}) => ask(api.url, method, path, options),
    async dispose() {
      await Promise.all(running.map(({ program }) => program.kill()));
      await guests.compute.close({ stopServers: true });
      await catalog.close();
      await Promise.all([broker.dispose(), database.dispose()]);
      for (const place of [folder, guests.housing.root]) rmSync(place, { recursive: true, force: true });
    },
  };
}

async function ask(
  url: string,
  method: string,
  path: string,
  { body, headers, withinMs }: AskOptions,
): Promise<Answer> {
  const response = await fetch(`${url}/v1.0/${PROJECT}${path}`, {
    method,
    headers: {
      'x-auth-token': TOKEN,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(withinMs !== undefined && { signal: AbortSignal.timeout(withinMs) }),
  });
  const text = await response.text();
  return { code: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
}

/** A create that is accepted. */
export function newInstance(name: string): { body: unknown } {
  return { body: { instance: { name, flavorRef: '1', volume: { size: 1 } } } };
}

export function instanceOf({ body }: Answer): Record<string, unknown> & { id: string } {
  return (body as { instance: Record<string, unknown> & { id: string } }).instance;
}

/** What `look` finds, once it finds something; a look that fails is one that finds nothing. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined>, withinMs = 120_000): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`not seen: ${what}`);
    await delay(300);
  }
}

/** Resolves with the task's state once it has ended. */
export async function taskEnd({ catalog }: Services, taskId: string | null): Promise<string> {
  const look = async (): Promise<string | undefined> => {
    const row: { state: string } | undefined = await catalog.knex('tasks').where({ id: taskId }).first('state');
    return row && ['done', 'failed', 'cancelled'].includes(row.state) ? row.state : undefined;
  };
  return await eventually(`the end of task ${taskId}`, look, TASK_WITHIN_MS);
}

/** Resolves when a transaction on this catalog waits for a row that another one holds. */
export async function someoneWaitsForARow({ catalog }: Services): Promise<void> {
  await eventually('a transaction that waits for a row', async () => {
    const answer: unknown = await catalog.knex.raw(
      `SELECT 1 FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
       WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()`,
    );
    const rows: unknown = Array.isArray(answer) ? answer[0] : [];
    return Array.isArray(rows) && rows.length > 0 ? true : undefined;
  });
}
