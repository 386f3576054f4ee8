import { newUuid } from '@trove/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createInstance, makeActive } from './testing/instances.ts';
import { addressed, everyRow, type ServedRoute, sampleOf, servedRoutes, withTexts } from './testing/routes.ts';
import { OTHER_PROJECT, PROJECT, type TestApi, testApi } from './testing/test_api.ts';

/** Stands in every row of the second project, and nowhere else. */
const MARK = 'of-the-second-project';
/** Columns that say whose a row is. */
const OWNERS = ['tenant_id', 'project_id'];

let api: TestApi;
let routes: readonly ServedRoute[];
/** The ids of all that the second project has. */
let foreign: string[];
beforeAll(async () => {
  api = await testApi();
  routes = servedRoutes(api);
  await makeActive(api, await createInstance(api, { name: 'own' }));
  foreign = await plantRows();
});
afterAll(() => api.dispose());

interface Column {
  name: string;
  type: string;
  notnull: number;
  dflt_value: unknown;
}

/** A row of the second project in every table whose rows belong to one: also where no route leads to it yet. */
async function plantRows(): Promise<string[]> {
  const { knex } = api.catalog;
  const ids: string[] = [];
  for (const table of Object.keys(await everyRow(api))) {
    const columns: Column[] = await knex.raw(`PRAGMA table_info(${table})`);
    const owner = columns.find(({ name }) => OWNERS.includes(name));
    if (owner === undefined || !columns.some(({ name }) => name === 'id')) continue;
    const id = newUuid();
    const values: Record<string, unknown> = { id, [owner.name]: OTHER_PROJECT };
    for (const column of columns.filter(({ name }) => !(name in values))) {
      const value = await valueOf(table, column);
      if (value !== undefined) values[column.name] = value;
    }
    await knex(table).insert(values);
    ids.push(id);
  }
  const { body } = await api.send('POST', '/instances', {
    as: 'bob',
    body: {
      instance: { name: MARK, flavorRef: 25, volume: { size: 1 }, datastore: { type: 'mysql', version: '5.7' } },
    },
  });
  const served = (body as { instance: { id: string } }).instance.id;
  await makeActive(api, served);
  return [...ids, served];
}

/** What a planted row holds there; undefined where it may hold nothing. */
async function valueOf(table: string, { name, type, notnull, dflt_value }: Column): Promise<unknown> {
  if (name === 'name' || name === 'description') return MARK;
  if (name === 'deleted') return 0;
  if (notnull === 0 || dflt_value !== null) return undefined;
  const keys: { from: string; table: string; to: string }[] = await api.catalog.knex.raw(
    `PRAGMA foreign_key_list(${table})`,
  );
  const key = keys.find(({ from }) => from === name);
  if (key !== undefined) return (await api.catalog.knex(key.table).first(key.to))[key.to];
  return /int/i.test(type) ? 1 : newUuid();
}

async function unchangedBy(act: () => Promise<void>): Promise<void> {
  const before = await everyRow(api);
  api.asked.length = 0;
  await act();
  expect(await everyRow(api)).toEqual(before);
  expect(api.asked).toEqual([]);
}

const bodyOf = ({ body }: ServedRoute) => (body === undefined ? {} : { body: sampleOf(body) });
/** Trove's word for a version that there is not, of whatever datastore, is 400; what is an admin's is 403 to a member, there or not. */
const codeForNowhere = ({ parameters, path }: ServedRoute): number => {
  if (path.startsWith('/mgmt/')) return 403;
  return parameters.join() === 'version' ? 400 : 404;
};
const named = ({ method, path }: ServedRoute): string => `${method} ${path}`;

describe("A33: another project's ids", () => {
  test('are there to be asked for, in every table whose rows belong to a project', () => {
    expect(foreign.length).toBeGreaterThan(8);
    expect(routes.filter(({ parameters }) => parameters.length > 0).length).toBeGreaterThan(14);
  });

  test('a member is told what is told of an id that is nowhere, in the same words, by every route, and nothing happens', async () => {
    for (const route of routes.filter(({ parameters }) => parameters.length > 0))
      await unchangedBy(async () => {
        const nowhere = newUuid();
        const told = await api.send(route.method, addressed(route, nowhere), bodyOf(route));
        expect([named(route), told.code]).toEqual([named(route), codeForNowhere(route)]);
        for (const id of foreign) {
          const answer = await api.send(route.method, addressed(route, id), bodyOf(route));
          expect([named(route), answer.code, answer.text.replaceAll(id, nowhere)]).toEqual([
            named(route),
            told.code,
            told.text,
          ]);
        }
      });
  });

  test('nobody but its members has the project in the URL: 403 for a member and an admin of another, 401 without a token', async () => {
    for (const route of routes)
      await unchangedBy(async () => {
        for (const id of foreign) {
          const path = `//v1.0/${OTHER_PROJECT}${addressed(route, id)}`;
          for (const [as, code] of [
            ['alice', 403],
            ['admin', 403],
            [null, 401],
          ] as const) {
            const answer = await api.send(route.method, path, { as, ...bodyOf(route) });
            expect([named(route), as, answer.code]).toEqual([named(route), as, code]);
          }
          const own = `//v1.0/${PROJECT}${addressed(route, id)}`;
          expect((await api.send(route.method, own, { as: null, ...bodyOf(route) })).code).toBe(401);
        }
      });
  });

  test('no list tells of them, whoever asks, from whatever marker', async () => {
    for (const route of routes.filter(({ method, parameters }) => method === 'GET' && parameters.length === 0))
      await unchangedBy(async () => {
        for (const as of ['alice', 'admin'] as const)
          for (const query of ['', '?include_clustered=true', ...foreign.map((id) => `?marker=${id}`)]) {
            const { text } = await api.send('GET', `${route.path}${query}`, { as });
            expect(text).not.toContain(MARK);
            expect(foreign.filter((id) => text.includes(`"${id}"`))).toEqual([]);
          }
      });
  });

  test('in a body they reach no row of that project, and no answer tells of one', async () => {
    const rowsOfOthers = async () =>
      Object.fromEntries(
        Object.entries(await everyRow(api)).map(([table, rows]) => [
          table,
          rows.filter((row) => OWNERS.some((owner) => row[owner] === OTHER_PROJECT)),
        ]),
      );
    const before = await rowsOfOthers();
    let sent = 0;
    for (const route of routes.filter(({ body }) => body !== undefined))
      for (const id of foreign)
        for (const body of withTexts(sampleOf(route.body ?? {}), id)) {
          const [own] = await api.catalog.knex('instances').where({ name: 'own' }).select('id');
          const answer = await api.send(route.method, addressed(route, own?.id ?? newUuid()), { body });
          expect(answer.text).not.toContain(MARK);
          sent += 1;
        }
    expect(await rowsOfOthers()).toEqual(before);
    expect(sent).toBeGreaterThan(50);
  });
});
