import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Catalog, openCatalog } from '@trove/catalog';
import { Secret, silentLogger } from '@trove/common';
import { staticTokens } from '@trove/identity';
import { syncCatalog } from '@trove/migrations';
import { testDatabase } from '@trove/testkit';
import { type Api, buildApi } from '../build_api.ts';
import type { ApiDeps, ApiSettings } from '../deps.ts';

export const PROJECT = '56cca8484d3e48869126ada4f355c284';
export const OTHER_PROJECT = '1111111111111111111111111111111f';
export const TOKENS = {
  admin: 'admin-of-the-first',
  alice: 'member-of-the-first',
  bob: 'member-of-the-second',
} as const;
export const VERSIONS = {
  current: '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a001',
  next: '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a002',
  major: '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a003',
  inactive: '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a004',
  imageless: '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a005',
} as const;
export const CONTROL_KEY = 'k'.repeat(32);
export const DATASTORE = '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a100';

const IMAGE = '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a200';

const SETTINGS: ApiSettings = {
  regionName: 'RegionOne',
  pageSizes: { instances: 20, databases: 20, users: 20 },
  heartbeatExpirySeconds: 90,
  guestPatienceMs: { low: 15_000, high: 180_000 },
  maxVolumeSize: 10,
  quotas: { backups: 50, instances: 10, ram: -1, volumes: 40 },
};

export interface TestApi {
  readonly api: Api;
  readonly catalog: Catalog;
  /** Every call and cast to the taskmanager: method and arguments. */
  readonly asked: { method: string; args: unknown; options: unknown }[];
  send(method: Verb, path: string, options?: SendOptions): Promise<Answer>;
  dispose(): Promise<void>;
}

type Verb = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';

export interface SendOptions {
  as?: keyof typeof TOKENS | null;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Body is whatever JSON came; undefined where there was none. */
export interface Answer {
  code: number;
  body: unknown;
  headers: Record<string, unknown>;
  text: string;
}

export interface TestApiOptions {
  dialect?: 'mysql' | 'sqlite';
  settings?: Partial<ApiSettings>;
  /** What the taskmanager answers to a call; an Error is thrown. Default: null. */
  answer?: (method: string, args: unknown) => unknown;
  deps?: Partial<ApiDeps>;
}

/** The api on a catalog of its own, with a datastore, two flavors, three users in two projects and a taskmanager that only notes. */
export async function testApi(options: TestApiOptions = {}): Promise<TestApi> {
  const place = options.dialect === 'mysql' ? await onServer() : await inFile();
  const catalog = openCatalog({ connection: place.connection, acquireTimeoutMs: 2000 });
  await syncCatalog(catalog.knex, {});
  await seedDatastores(catalog);
  const asked: TestApi['asked'] = [];
  const taskmanager: ApiDeps['taskmanager'] = {
    call: async (method, args, callOptions) => {
      asked.push({ method, args, options: callOptions });
      const answer = options.answer?.(method, args) ?? null;
      if (answer instanceof Error) throw answer;
      return answer as never;
    },
    cast: async (method, args, castOptions) => {
      asked.push({ method, args, options: castOptions });
      const answer = options.answer?.(method, args);
      if (answer instanceof Error) throw answer;
    },
  };
  const api = await buildApi({
    settings: { ...SETTINGS, ...options.settings },
    catalog,
    identity: staticTokens(
      { tokens: [user('admin', PROJECT, ['admin']), user('alice', PROJECT, []), user('bob', OTHER_PROJECT, [])] },
      'test',
    ),
    compute: { flavors: async () => [flavor('25', 512), flavor('d3', 1024)], images: async () => [image()] },
    taskmanager,
    bus: { state: 'connected' },
    controlRing: [new Secret(CONTROL_KEY)],
    logger: silentLogger,
    ...options.deps,
  });
  return {
    api,
    catalog,
    asked,
    send: (method, path, sendOptions) => send(api, method, path, sendOptions),
    dispose: async () => {
      await api.close();
      await catalog.close();
      await place.remove();
    },
  };
}

async function send(
  api: Api,
  method: Verb,
  path: string,
  { as = 'alice', body, headers = {} }: SendOptions = {},
): Promise<Answer> {
  const response = await api.app.inject({
    method,
    url: path.startsWith('//') ? path.slice(1) : `/v1.0/${as === 'bob' ? OTHER_PROJECT : PROJECT}${path}`,
    headers: {
      host: 'trove.example:8779',
      ...(as !== null && { 'x-auth-token': TOKENS[as] }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const isJson = String(response.headers['content-type'] ?? '').startsWith('application/json') && response.body !== '';
  return {
    code: response.statusCode,
    body: isJson ? response.json() : undefined,
    headers: response.headers,
    text: response.body,
  };
}

function user(name: keyof typeof TOKENS, project_id: string, roles: string[]) {
  return { token: TOKENS[name], user_id: `id-of-${name}`, user_name: name, project_id, roles };
}

function flavor(id: string, ram: number) {
  return { id, name: `m${id}`, ram, vcpus: 1, disk: 1, ephemeral: 0 };
}

function image() {
  return { id: IMAGE, name: 'mysql', manager: 'mysql', version: '5.7.29' };
}

async function seedDatastores({ knex }: Catalog): Promise<void> {
  await knex('datastores').insert({ id: DATASTORE, name: 'mysql', default_version_id: null });
  const version = { datastore_id: DATASTORE, packages: '', active: 1, manager: 'mysql', image_id: IMAGE };
  await knex('datastore_versions').insert([
    { ...version, id: VERSIONS.current, name: '5.7', version: '5.7.29' },
    { ...version, id: VERSIONS.next, name: '5.7.44', version: '5.7.44' },
    { ...version, id: VERSIONS.major, name: '8.4', version: '8.4.6' },
    { ...version, id: VERSIONS.inactive, name: '5.5', version: '5.5.0', active: 0 },
    {
      ...version,
      id: VERSIONS.imageless,
      name: '5.7.45',
      version: '5.7.45',
      image_id: '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a999',
    },
  ]);
  await knex('datastores').update({ default_version_id: VERSIONS.current });
}

async function onServer() {
  const database = await testDatabase();
  return { connection: database.url, remove: () => database.dispose() };
}

async function inFile() {
  const directory = await mkdtemp(join(tmpdir(), 'trove-api-'));
  return {
    connection: `sqlite:///${join(directory, 'catalog.sqlite')}`,
    remove: () => rm(directory, { recursive: true }),
  };
}
