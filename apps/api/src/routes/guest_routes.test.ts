import { TroveError } from '@trove/common';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createInstance, makeActive } from '../testing/instances.ts';
import { PROJECT, type TestApi, testApi } from '../testing/test_api.ts';

let api: TestApi;
let id: string;
let answer: unknown;
beforeAll(async () => {
  api = await testApi({ answer: (method) => (method === 'run_task' ? null : answer) });
  id = await createInstance(api);
});
beforeEach(async () => {
  await makeActive(api, id);
  answer = null;
  api.asked.length = 0;
});
afterAll(() => api.dispose());

test('databases are listed as the guest has them, with a link to the next page', async () => {
  answer = [[{ _name: 'a', _character_set: 'utf8mb4' }, { _name: 'b' }], 'b'];
  const list = await api.send('GET', `/instances/${id}/databases?limit=2&marker=0`);
  expect([list.code, list.body]).toEqual([
    200,
    {
      databases: [{ name: 'a' }, { name: 'b' }],
      links: [
        { rel: 'next', href: `https://trove.example:8779/v1.0/${PROJECT}/instances/${id}/databases?limit=2&marker=b` },
      ],
    },
  ]);
  expect(api.asked).toMatchObject([
    {
      method: 'list_databases',
      args: { instance_id: id, limit: 2, marker: '0', include_marker: false },
      options: { deadlineMs: 17_000 },
    },
  ]);
});

test('a database is made when the answer comes, under a key that makes it once', async () => {
  const made = await api.send('POST', `/instances/${id}/databases`, {
    body: { databases: [{ name: 'foo2', collate: 'utf8mb4_bin' }] },
  });
  expect([made.code, made.text]).toEqual([202, '']);
  expect(api.asked).toMatchObject([
    {
      method: 'create_database',
      args: { instance_id: id, databases: [{ _name: 'foo2', _character_set: null, _collate: 'utf8mb4_bin' }] },
      options: {
        deadlineMs: 17_000,
        idempotencyKey: expect.any(String),
        context: { project_id: PROJECT, user_id: 'id-of-alice' },
      },
    },
  ]);
});

test('a database is dropped by name', async () => {
  expect((await api.send('DELETE', `/instances/${id}/databases/foo2`)).code).toBe(202);
  expect(api.asked).toMatchObject([
    { method: 'delete_database', args: { instance_id: id, database: { _name: 'foo2' } } },
  ]);
  answer = new TroveError('DATABASE_NOT_FOUND', 'Database foo2 cannot be found.');
  const gone = await api.send('DELETE', `/instances/${id}/databases/foo2`);
  expect([gone.code, gone.body]).toEqual([
    404,
    { itemNotFound: { code: 404, message: 'Database foo2 cannot be found.' } },
  ]);
});

test('users are listed without passwords and waited for as long as the guest may take', async () => {
  answer = [[{ _name: 'u1', _host: null, _password: 'never', _databases: [{ _name: 'd1' }] }], null];
  const list = await api.send('GET', `/instances/${id}/users`);
  expect(list.body).toEqual({ users: [{ name: 'u1', host: '%', databases: [{ name: 'd1' }] }] });
  expect(api.asked).toMatchObject([{ method: 'list_users', options: { deadlineMs: 182_000 } }]);
});

test('a user is made with host and databases', async () => {
  const body = { users: [{ name: 'u1', password: 'p', host: '10.0.%', databases: [{ name: 'd1' }] }] };
  expect((await api.send('POST', `/instances/${id}/users`, { body })).code).toBe(202);
  const users = [{ _name: 'u1', _host: '10.0.%', _password: 'p', _databases: [{ _name: 'd1' }] }];
  expect(api.asked).toMatchObject([{ method: 'create_user', args: { instance_id: id, users } }]);
});

test.each([
  ['GUEST_TIMEOUT', 400, 'badRequest'],
  ['GUEST_ERROR', 400, 'badRequest'],
  ['USER_EXISTS', 400, 'badRequest'],
  ['RPC_TIMEOUT', 503, 'serviceUnavailable'],
  ['BUS_UNAVAILABLE', 503, 'serviceUnavailable'],
] as const)('%s from the guest or on the way to it is %i', async (code, httpCode, fault) => {
  answer = new TroveError(code, 'What may be told.');
  const refused = await api.send('GET', `/instances/${id}/users`);
  expect(refused.code).toBe(httpCode);
  const message = code === 'RPC_TIMEOUT' ? 'No answer came from the control plane in time.' : 'What may be told.';
  expect(refused.body).toEqual({ [fault]: { code: httpCode, message } });
  expect(refused.headers['retry-after']).toBe(httpCode === 503 ? '5' : undefined);
});

test('where a change gets no answer in time, it is told that it may have been made', async () => {
  answer = new TroveError('RPC_TIMEOUT', 'none');
  const { code, body } = await api.send('POST', `/instances/${id}/databases`, { body: { databases: [{ name: 'd' }] } });
  expect([code, body]).toMatchObject([503, { serviceUnavailable: { message: expect.stringContaining('is unknown') } }]);
});

test.each([
  ['shut down', { status_id: 4 }],
  ['new', { status_id: 23 }],
])('a database that is %s is not asked: 422', async (_what, status) => {
  await api.catalog.knex('service_statuses').where({ instance_id: id }).update(status);
  for (const path of ['databases', 'users']) {
    const refused = await api.send('GET', `/instances/${id}/${path}`);
    expect([refused.code, refused.body]).toEqual([
      422,
      { unprocessableEntity: { code: 422, message: `Instance ${id} is not ready.` } },
    ]);
  }
  expect(api.asked).toEqual([]);
});

test('a datastore whose databases cannot be managed is 422', async () => {
  await api.catalog.knex('datastore_versions').update({ manager: 'redis' });
  expect((await api.send('GET', `/instances/${id}/databases`)).code).toBe(422);
  await api.catalog.knex('datastore_versions').update({ manager: 'mysql' });
});

test.each([[{}], [{ databases: [] }], [{ databases: [{}] }], [{ databases: 'a' }]])(
  'databases from %j is 400',
  async (body) => {
    expect((await api.send('POST', `/instances/${id}/databases`, { body })).code).toBe(400);
    expect(api.asked).toEqual([]);
  },
);
