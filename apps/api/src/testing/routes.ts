import type { TestApi } from './test_api.ts';

/** JSON Schema as far as the api's bodies use it. */
export interface BodySchema {
  type?: string;
  properties?: Record<string, BodySchema>;
  required?: string[];
  items?: BodySchema;
  anyOf?: BodySchema[];
  minProperties?: number;
}

/** One route below `/v1.0/{project_id}`. */
export interface ServedRoute {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** Below the project, with parameters in braces: `/instances/{instance_id}`. */
  readonly path: string;
  readonly parameters: readonly string[];
  readonly body: BodySchema | undefined;
}

const BELOW = '/v1.0/{project_id}';

interface Operation {
  requestBody?: { content: Record<string, { schema: BodySchema }> };
}

/**
 * The api's own table of routes. Throws where it serves a route that its OpenAPI document does not tell, since tests that are
 * made from the document would not see it.
 */
export function servedRoutes({ api: { app } }: TestApi): readonly ServedRoute[] {
  const { paths = {} } = app.swagger() as { paths?: Record<string, Record<string, Operation>> };
  const told = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ path, method, operation })),
  );
  const served = [...app.printRoutes({ commonPrefix: false }).matchAll(/\(([A-Z, ]+)\)/g)]
    .flatMap(([, methods]) => methods?.split(', ') ?? [])
    .filter((method) => method !== 'HEAD').length;
  const untold = ['/openapi.json'];
  if (served !== told.length + untold.length)
    throw new Error('a route is served that the OpenAPI document does not tell');
  return told
    .filter(({ path }) => path.startsWith(BELOW))
    .map(({ path, method, operation }) => ({
      method: method.toUpperCase() as ServedRoute['method'],
      path: path.slice(BELOW.length),
      parameters: [...path.slice(BELOW.length).matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? ''),
      body: operation.requestBody?.content['application/json']?.schema,
    }));
}

/** The path with every parameter replaced by this text. */
export function addressed({ path }: ServedRoute, text: string): string {
  return path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(text));
}

/** What members of these names hold, where a route wants more of them than their type. */
const MEANINGFUL: Readonly<Record<string, unknown>> = {
  name: 'x1',
  flavorRef: '25',
  volume: { size: 1 },
  datastore: { type: 'mysql', version: '5.7' },
  datastore_version: '5.7.44',
  password: 'p',
  databases: [{ name: 'x1' }],
  users: [{ name: 'x1', password: 'p', databases: [{ name: 'x1' }] }],
  access: { is_public: true },
};

/** A body that the schema takes, with all that is required and what `MEANINGFUL` knows. */
export function sampleOf(schema: BodySchema): unknown {
  if (schema.anyOf?.[0] !== undefined) return sampleOf(schema.anyOf[0]);
  if (schema.type === 'array') return [sampleOf(schema.items ?? {})];
  if (schema.type === 'integer' || schema.type === 'number') return 1;
  if (schema.type === 'boolean') return true;
  if (schema.type !== 'object') return 'x1';
  const members = Object.entries(schema.properties ?? {});
  const required = new Set(schema.required ?? []);
  const enough = members.slice(0, schema.minProperties ?? 0).map(([name]) => name);
  const wanted = members.filter(
    ([name, member]) =>
      required.has(name) ||
      enough.includes(name) ||
      (name in MEANINGFUL && member.type !== undefined) ||
      name === 'flavorRef',
  );
  return Object.fromEntries(
    wanted.map(([name, member]) => [name, name in MEANINGFUL ? MEANINGFUL[name] : sampleOf(member)]),
  );
}

/** Copies of a value, one for each object in it, with `members` put into that object; what it has already stays. */
export function withMembers(value: unknown, members: Readonly<Record<string, unknown>>): unknown[] {
  const within = (child: unknown, put: (changed: unknown) => unknown): unknown[] =>
    withMembers(child, members).map(put);
  if (Array.isArray(value)) return value.flatMap((child, at) => within(child, (changed) => value.with(at, changed)));
  if (typeof value !== 'object' || value === null) return [];
  return [
    { ...members, ...value },
    ...Object.entries(value).flatMap(([name, child]) => within(child, (changed) => ({ ...value, [name]: changed }))),
  ];
}

/** Copies of a value, one for each text in it, with that text replaced. */
export function withTexts(value: unknown, text: string): unknown[] {
  if (typeof value === 'string') return [text];
  if (Array.isArray(value))
    return value.flatMap((child, at) => withTexts(child, text).map((changed) => value.with(at, changed)));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, child]) =>
    withTexts(child, text).map((changed) => ({ ...value, [name]: changed })),
  );
}

/** Every row of every table, by table. */
export async function everyRow({ catalog: { knex } }: TestApi): Promise<Record<string, Record<string, unknown>[]>> {
  const tables: { name: string }[] = await knex.raw(
    "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
  );
  const rows = await Promise.all(tables.map(async ({ name }) => [name, await knex(name).select('*')] as const));
  return Object.fromEntries(rows);
}
