import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { booksOf, createInstance, emptyCatalog, instanceIn, makeActive } from '../../testing/instances.ts';
import { type TestApi, testApi, VERSIONS } from '../../testing/test_api.ts';

describe.each(['sqlite', 'mysql'] as const)('what is done to an instance, on %s', (dialect) => {
  let api: TestApi;
  let id: string;
  beforeAll(async () => {
    api = await testApi({ dialect });
  });
  beforeEach(async () => {
    await emptyCatalog(api);
    id = await createInstance(api);
    await makeActive(api, id);
    api.asked.length = 0;
  });
  afterAll(() => api.dispose());

  const statusOf = async () => instanceIn(await api.send('GET', `/instances/${id}`))['status'];
  const newest = async (kind: string) => await api.catalog.knex('tasks').where({ kind }).first('*');

  test.each(['PATCH', 'PUT'] as const)(
    '%s with a datastore version files an upgrade and shows UPGRADE',
    async (method) => {
      const answer = await api.send(method, `/instances/${id}`, {
        body: { instance: { datastore_version: VERSIONS.next } },
      });
      expect([answer.code, answer.text]).toEqual([202, '']);
      const task = await newest('upgrade_instance');
      expect(JSON.parse(task.params)).toMatchObject({
        datastore_version_id: VERSIONS.next,
        datastore_version: '5.7.44',
        datastore_manager: 'mysql',
        previous: { datastore_version_id: VERSIONS.current },
      });
      expect(api.asked).toMatchObject([{ method: 'run_task', args: { task_id: task.id } }]);
      expect(await statusOf()).toBe('UPGRADE');
    },
  );

  test('an upgrade to the same version is taken, a second one beside it is 422', async () => {
    const body = { instance: { datastore_version: '5.7' } };
    expect((await api.send('PATCH', `/instances/${id}`, { body })).code).toBe(202);
    const again = await api.send('PATCH', `/instances/${id}`, { body });
    const message = `Instance ${id} is not currently available for an action to be performed (task status was UPGRADING).`;
    expect([again.code, again.body]).toEqual([422, { unprocessableEntity: { code: 422, message } }]);
  });

  test('what a key rotation or the reconciler has in hand is 422 in the words of Trove, though no status shows it', async () => {
    await api.catalog.knex('instances').where({ id }).update({ active_task_id: 'held' });
    const message = `Instance ${id} is not currently available for an action to be performed (task status was UPDATING).`;
    const upgrade = await api.send('PATCH', `/instances/${id}`, { body: { instance: { datastore_version: '5.7' } } });
    expect([upgrade.code, upgrade.body]).toEqual([422, { unprocessableEntity: { code: 422, message } }]);
    for (const action of [{ restart: {} }, { resize: { volume: { size: 4 } } }]) {
      const answer = await api.send('POST', `/instances/${id}/action`, { body: action });
      expect([answer.code, answer.body]).toEqual([422, { unprocessableEntity: { code: 422, message } }]);
    }
  });

  test('an upgrade back, or to a series that the server cannot take, is 400 and touches nothing', async () => {
    const refused = (from: string, to: string) => ({
      badRequest: { code: 400, message: `Upgrading from version ${from} to ${to} is not supported.` },
    });
    const present = api.catalog.knex('datastore_versions').where({ id: VERSIONS.current });
    await present.clone().update({ version: '5.7.45' });
    const back = await api.send('PATCH', `/instances/${id}`, {
      body: { instance: { datastore_version: VERSIONS.next } },
    });
    await present.update({ version: '5.7.29' });
    expect(back.body).toEqual(refused('5.7.45', '5.7.44'));
    const over = await api.send('PATCH', `/instances/${id}`, {
      body: { instance: { datastore_version: VERSIONS.major } },
    });
    expect(over.body).toEqual(refused('5.7.29', '8.4.6'));
    expect([await statusOf(), await newest('upgrade_instance')]).toEqual(['ACTIVE', undefined]);
  });

  test('two upgrades at one time: one is taken', async () => {
    const body = { instance: { datastore_version: '5.7.44' } };
    const answers = await Promise.all([1, 2, 3, 4].map(() => api.send('PATCH', `/instances/${id}`, { body })));
    expect(answers.map(({ code }) => code).toSorted((one, other) => one - other)).toEqual([202, 422, 422, 422]);
  });

  test('another name is written at once, an empty update does nothing', async () => {
    expect((await api.send('PUT', `/instances/${id}`, { body: { instance: { name: 'Größe 2' } } })).code).toBe(202);
    expect(instanceIn(await api.send('GET', `/instances/${id}`))['name']).toBe('Größe 2');
    const before = await booksOf(api);
    expect((await api.send('PUT', `/instances/${id}`, { body: { instance: {} } })).code).toBe(202);
    expect(await booksOf(api)).toEqual(before);
  });

  test('a restart files its task and shows REBOOT; a repeated Idempotency-Key files no other', async () => {
    const headers = { 'idempotency-key': 'restart-1' };
    for (let i = 0; i < 2; i += 1) {
      expect((await api.send('POST', `/instances/${id}/action`, { body: { restart: {} }, headers })).code).toBe(202);
    }
    expect(await statusOf()).toBe('REBOOT');
    expect(await api.catalog.knex('tasks').where({ kind: 'restart_instance' })).toHaveLength(1);
    const other = await api.send('POST', `/instances/${id}/action`, { body: { restart: {} } });
    expect([other.code, other.text]).toEqual([422, expect.stringContaining('(task status was REBOOTING)')]);
  });

  test.each([
    [{}, 400],
    [{ restart: {}, resize: {} }, 400],
    [{ restart: 1 }, 400],
    [{ nonsense: {} }, 400],
    [{ promote_to_replica_source: {} }, 501],
  ])('the action %j is %i and changes nothing', async (body, code) => {
    const before = await booksOf(api);
    expect((await api.send('POST', `/instances/${id}/action`, { body })).code).toBe(code);
    expect(await booksOf(api)).toEqual(before);
  });

  test('a delete is taken once, shows SHUTDOWN, and keeps quota until the thing is gone', async () => {
    for (let i = 0; i < 2; i += 1) expect((await api.send('DELETE', `/instances/${id}`)).code).toBe(202);
    expect(await statusOf()).toBe('SHUTDOWN');
    expect(await api.catalog.knex('tasks').where({ kind: 'delete_instance' })).toHaveLength(1);
    expect(await api.catalog.knex('quota_usages').where({ resource: 'instances' }).first('reserved')).toEqual({
      reserved: 1,
    });
  });

  test('a delete in BUILD is taken and asks the build to stop', async () => {
    const building = await createInstance(api, { name: 'building' });
    expect((await api.send('DELETE', `/instances/${building}`)).code).toBe(202);
    const build = await api.catalog
      .knex('tasks')
      .where({ instance_id: building, kind: 'create_instance' })
      .first('id', 'cancel_requested');
    expect(build.cancel_requested).toBe(1);
    const task = await api.catalog
      .knex('tasks')
      .where({ instance_id: building, kind: 'delete_instance' })
      .first('after_task');
    expect(task).toEqual({ after_task: build.id });
  });

  test('a delete of a source of replicas is 403', async () => {
    const replica = await createInstance(api, { name: 'replica' });
    await api.catalog.knex('instances').where({ id: replica }).update({ slave_of_id: id });
    expect((await api.send('DELETE', `/instances/${id}`)).code).toBe(403);
  });

  test('a server that neither the driver nor the catalog knows is neither rebuilt nor deleted', async () => {
    await api.catalog.knex('instances').where({ id }).update({ server_status: null });
    const before = await booksOf(api);
    const upgrade = await api.send('PATCH', `/instances/${id}`, {
      body: { instance: { datastore_version: '5.7.44' } },
    });
    expect([upgrade.code, upgrade.text]).toEqual([422, expect.stringContaining('not known to the compute driver')]);
    expect((await api.send('DELETE', `/instances/${id}`)).code).toBe(422);
    expect(await booksOf(api)).toEqual(before);
    await api.catalog
      .knex('resources')
      .insert({ token: 't', kind: 'server', external_id: 'server-1', instance_id: id, state: 'live' });
    expect((await api.send('DELETE', `/instances/${id}`)).code).toBe(202);
  });

  test("an admin acts on another project's instance by id", async () => {
    await api.catalog.knex('instances').where({ id }).update({ tenant_id: '1111111111111111111111111111111f' });
    expect((await api.send('DELETE', `/instances/${id}`)).code).toBe(404);
    expect((await api.send('DELETE', `/instances/${id}`, { as: 'admin' })).code).toBe(202);
    expect((await newest('delete_instance')).project_id).toBe('1111111111111111111111111111111f');
  });
});
