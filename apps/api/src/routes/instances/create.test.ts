import { openTaskSecret } from '@trove/catalog';
import { Secret } from '@trove/common';
import { requestHash } from '@trove/tasks';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createInstance, emptyCatalog, instanceIn, newInstance } from '../../testing/instances.ts';
import { CONTROL_KEY, PROJECT, type TestApi, testApi, VERSIONS } from '../../testing/test_api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi();
});
beforeEach(() => emptyCatalog(api));
afterAll(() => api.dispose());

test('a create is answered 200 with the whole instance in BUILD, and rings for its task', async () => {
  const answer = await api.send('POST', '/instances', { body: newInstance() });
  expect(answer.code).toBe(200);
  const id = instanceIn(answer)['id'];
  expect(instanceIn(answer)).toEqual({
    id,
    name: 'm10',
    status: 'BUILD',
    operating_status: '',
    links: [
      { rel: 'self', href: `https://trove.example:8779/v1.0/${PROJECT}/instances/${String(id)}` },
      { rel: 'bookmark', href: `https://trove.example:8779/instances/${String(id)}` },
    ],
    flavor: { id: '25', links: expect.any(Array) },
    datastore: { type: 'mysql', version: '5.7', version_number: '5.7.29' },
    region: 'RegionOne',
    access: {},
    volume: { size: 3 },
    created: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/),
    updated: expect.any(String),
    service_status_updated: expect.any(String),
  });
  const task = await api.catalog.knex('tasks').first('id', 'kind', 'state', 'project_id');
  expect(task).toMatchObject({ kind: 'create_instance', state: 'pending', project_id: PROJECT });
  expect(api.asked).toMatchObject([{ method: 'run_task', args: { task_id: task.id } }]);
});

test('an admin sees the fields that members do not', async () => {
  const answer = await api.send('POST', '/instances', { as: 'admin', body: newInstance() });
  expect(instanceIn(answer)).toMatchObject({
    server_id: null,
    volume_id: null,
    encrypted_rpc_messaging: false,
    tenant_id: PROJECT,
  });
});

test('the task knows all that is to be built, and its passwords rest sealed', async () => {
  const changes = {
    flavorRef: 'https://nova.example/v2/flavors/d3',
    volume: { size: '4', type: null },
    datastore: { type: 'mysql' },
    databases: [{ name: 'd1', character_set: 'utf8mb3' }],
    users: [{ name: 'u1', password: 'p4ssw0rd', databases: [{ name: 'd1' }] }],
    nics: [{ 'net-id': '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a001' }],
    access: { is_public: false },
    availability_zone: 'local',
    something_new: 1,
  };
  await createInstance(api, changes);
  const { id, params: text } = await api.catalog.knex('tasks').first('id', 'params');
  expect(text).not.toContain('p4ssw0rd');
  const params = JSON.parse(text) as Record<string, unknown>;
  expect(params).toMatchObject({
    flavor: { id: 'd3', ram: 1024 },
    volume_size: 4,
    databases: [{ name: 'd1', character_set: 'utf8mb3', collate: null }],
    datastore_manager: 'mysql',
    datastore_version: '5.7.29',
    datastore_version_id: VERSIONS.current,
    availability_zone: 'local',
    nics: changes.nics,
  });
  const users = openTaskSecret([new Secret(CONTROL_KEY)], id, String(params['users']));
  expect(JSON.parse(users)).toEqual([{ name: 'u1', host: '%', password: 'p4ssw0rd', databases: [{ name: 'd1' }] }]);
});

test('what was stored for access is shown', async () => {
  const access = { is_public: true, allowed_cidrs: ['10.0.0.0/8', '192.0.2.1'] };
  const answer = await api.send('POST', '/instances', { body: newInstance({ access }) });
  expect(instanceIn(answer)).toMatchObject({ access });
});

test('the reservation of quota and the service status NEW come with the instance', async () => {
  const id = await createInstance(api);
  const usages = await api.catalog.knex('quota_usages').orderBy('resource').select('resource', 'in_use', 'reserved');
  expect(usages).toEqual([
    { resource: 'backups', in_use: 0, reserved: 0 },
    { resource: 'instances', in_use: 0, reserved: 1 },
    { resource: 'ram', in_use: 0, reserved: 512 },
    { resource: 'volumes', in_use: 0, reserved: 3 },
  ]);
  expect(await api.catalog.knex('service_statuses').where({ instance_id: id }).first('status_description')).toEqual({
    status_description: 'new',
  });
});

test('the same Idempotency-Key gives the same instance, another body under it is 422', async () => {
  const headers = { 'idempotency-key': 'once-1' };
  const first = await api.send('POST', '/instances', { body: newInstance(), headers });
  const second = await api.send('POST', '/instances', { body: newInstance(), headers });
  expect(second.code).toBe(200);
  expect(instanceIn(second)['id']).toBe(instanceIn(first)['id']);
  const third = await api.send('POST', '/instances', { body: newInstance({ name: 'other' }), headers });
  expect(third.code).toBe(422);
  expect(await api.catalog.knex('instances').select('id')).toHaveLength(1);
});

test('what the catalog keeps of a request under an Idempotency-Key cannot be guessed at without the control key', async () => {
  const body = newInstance({ users: [{ name: 'u', password: 'weak' }], databases: [{ name: 'd' }] });
  const ask = { method: 'POST', path: `/v1.0/${PROJECT}/instances`, body };
  const answer = await api.send('POST', '/instances', { body, headers: { 'idempotency-key': 'once-2' } });
  const { id } = instanceIn(answer);
  const { request_hash: kept } = await api.catalog.knex('tasks').where({ instance_id: id }).first('request_hash');
  expect(kept).not.toBe(requestHash([], ask).form);
  expect(kept).toBe(requestHash([new Secret(CONTROL_KEY)], ask).form);
});

test('a create is accepted while nobody hears the doorbell', async () => {
  await api.dispose();
  api = await testApi({ answer: () => new Error('no bus') });
  expect((await api.send('POST', '/instances', { body: newInstance() })).code).toBe(200);
});

test.each(['replica_of', 'configuration', 'restorePoint', 'modules', 'locality'])(
  '%s does not exist yet and is 501',
  async (member) => {
    const answer = await api.send('POST', '/instances', { body: newInstance({ [member]: 'x' }) });
    expect(answer.code).toBe(501);
    expect(answer.body).toEqual({
      notImplemented: { code: 501, message: `'${member}' is not supported by this deployment.` },
    });
  },
);
