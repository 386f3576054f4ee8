import { recordHosts } from '@trove/catalog';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createInstance, makeActive } from './testing/instances.ts';
import { PROJECT, type TestApi, testApi } from './testing/test_api.ts';

let api: TestApi;
let id: string;

beforeAll(async () => {
  api = await testApi();
  id = await createInstance(api);
  await makeActive(api, id);
  await createInstance(api);
  await recordHosts(api.catalog.knex, [
    { name: 'db1', servers: 1, totalRam: 4096, usedRam: 1024 },
    { name: 'db2', servers: 0, totalRam: null, usedRam: null },
  ]);
  await api.catalog.knex('instances').where({ id }).update({ server_host: 'db1' });
});
afterAll(() => api.dispose());

test('an admin sees the hosts, and on each its memory and its instances', async () => {
  expect(await api.send('GET', '/mgmt/hosts', { as: 'admin' })).toMatchObject({
    code: 200,
    body: {
      hosts: [
        { name: 'db1', instanceCount: 1 },
        { name: 'db2', instanceCount: 0 },
      ],
    },
  });
  const instances = [{ id, name: 'm10', status: 'ACTIVE', server_id: 'server-1', tenant_id: PROJECT }];
  expect((await api.send('GET', '/mgmt/hosts/db1', { as: 'admin' })).body).toEqual({
    host: { name: 'db1', totalRAM: 4096, usedRAM: 1024, percentUsed: 25, instances },
  });
  expect((await api.send('GET', '/mgmt/hosts/db2', { as: 'admin' })).body).toEqual({
    host: { name: 'db2', totalRAM: null, usedRAM: null, percentUsed: null, instances: [] },
  });
});

test('a host that is not there is 404', async () => {
  expect((await api.send('GET', '/mgmt/hosts/db3', { as: 'admin' })).code).toBe(404);
});

test.each(['/mgmt/hosts', '/mgmt/hosts/db1'])('nobody else sees %s', async (path) => {
  expect((await api.send('GET', path, { as: 'alice' })).code).toBe(403);
  expect((await api.send('GET', path, { as: null })).code).toBe(401);
});
