import { afterAll, beforeAll, expect, test } from 'vitest';
import { DATASTORE, PROJECT, type TestApi, testApi, VERSIONS } from '../testing/test_api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi();
  await api.catalog.knex('datastores').insert({ id: '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a101', name: 'empty' });
});
afterAll(() => api.dispose());

type Named = { name: string; versions: { id: string }[] };

test('a member sees datastores with their active versions, and of a version no image', async () => {
  const { body } = await api.send('GET', '/datastores');
  const [mysql, ...others] = (body as { datastores: Named[] }).datastores;
  expect(others).toEqual([]);
  expect(mysql).toMatchObject({ id: DATASTORE, name: 'mysql', default_version: VERSIONS.current });
  expect(mysql?.versions.map(({ id }) => id)).not.toContain(VERSIONS.inactive);
  expect(mysql?.versions[0]).toEqual({
    id: VERSIONS.current,
    name: '5.7',
    version: '5.7.29',
    links: [
      { rel: 'self', href: `https://trove.example:8779/v1.0/${PROJECT}/datastores/versions/${VERSIONS.current}` },
      { rel: 'bookmark', href: `https://trove.example:8779/datastores/versions/${VERSIONS.current}` },
    ],
  });
});

test('an admin sees all datastores and versions, with their images', async () => {
  const { body } = await api.send('GET', '/datastores', { as: 'admin' });
  const datastores = (body as { datastores: Named[] }).datastores;
  expect(datastores.map(({ name }) => name)).toEqual(['empty', 'mysql']);
  expect(datastores[1]?.versions).toHaveLength(5);
  const { body: versions } = await api.send('GET', '/datastores/mysql/versions', { as: 'admin' });
  expect((versions as { versions: unknown[] }).versions[0]).toMatchObject({
    active: false,
    image: expect.any(String),
    image_tags: [],
    datastore: DATASTORE,
  });
});

test.each([
  ['/datastores/mysql', 200],
  [`/datastores/${DATASTORE}`, 200],
  ['/datastores/oracle', 404],
  ['/datastores/%F0%9F%90%AC', 404],
  ['/datastores/mysql/versions', 200],
  ['/datastores/mysql/versions/5.7', 200],
  [`/datastores/mysql/versions/${VERSIONS.current}`, 200],
  ['/datastores/mysql/versions/1.2', 400],
  ['/datastores/mysql/versions/5.5', 400],
  ['/datastores/mysql/versions/0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4afff', 404],
  [`/datastores/versions/${VERSIONS.current}`, 200],
  [`/datastores/versions/${VERSIONS.inactive}`, 400],
  ['/datastores/versions/none', 400],
  [`/datastores/mysql/versions/${VERSIONS.current}/flavors`, 200],
  ['/flavors', 200],
  ['/flavors/25', 200],
  ['/flavors/25.json', 200],
  ['/flavors/nope', 404],
  ['/volume-types', 404],
])('GET %s is %i', async (path, code) => {
  expect((await api.send('GET', path)).code).toBe(code);
});

test('a flavor has a number only where its id is one', async () => {
  const { body } = await api.send('GET', '/flavors');
  expect((body as { flavors: unknown[] }).flavors).toMatchObject([
    { id: 25, str_id: '25', name: 'm25', ram: 512, vcpus: 1, disk: 1, ephemeral: 0 },
    { id: null, str_id: 'd3' },
  ]);
});

test('a version bound to flavors offers those, and a create with another is refused', async () => {
  const row = {
    id: 'b1',
    datastore_version_id: VERSIONS.next,
    key: 'flavor',
    value: 'd3',
    created: '2026-01-01 00:00:00',
    deleted: 0,
  };
  await api.catalog.knex('datastore_version_metadata').insert(row);
  const { body } = await api.send('GET', `/datastores/mysql/versions/${VERSIONS.next}/flavors`);
  expect((body as { flavors: { str_id: string }[] }).flavors.map(({ str_id }) => str_id)).toEqual(['d3']);
  const instance = { name: 'm', flavorRef: 25, volume: { size: 1 }, datastore: { type: 'mysql', version: '5.7.44' } };
  expect((await api.send('POST', '/instances', { body: { instance } })).code).toBe(400);
});
