import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createInstance, instanceIn, makeActive } from '../../testing/instances.ts';
import { OTHER_PROJECT, PROJECT, type TestApi, testApi } from '../../testing/test_api.ts';

describe.each(['sqlite', 'mysql'] as const)('reading instances on %s', (dialect) => {
  let api: TestApi;
  let ids: string[];
  beforeAll(async () => {
    api = await testApi({ dialect, settings: { pageSizes: { instances: 3, databases: 3, users: 3 } } });
    ids = [];
    for (const name of ['m1', 'm2', 'm3', 'm4']) ids.push(await createInstance(api, { name }));
    for (const [index, id] of ids.entries()) {
      await makeActive(api, id);
      await api.catalog
        .knex('instances')
        .where({ id })
        .update({ created: `2026-01-01 00:00:0${index}` });
    }
  });
  afterAll(() => api.dispose());

  const shown = (body: unknown) => (body as { instances: Record<string, unknown>[] }).instances;

  test('a member sees an instance with its addresses and without the fields of admins', async () => {
    const answer = await api.send('GET', `/instances/${ids[0]}`);
    expect(answer.code).toBe(200);
    const instance = instanceIn(answer);
    expect(instance).toMatchObject({
      status: 'ACTIVE',
      operating_status: 'HEALTHY',
      created: '2026-01-01T00:00:00',
      ip: ['127.64.0.2'],
      addresses: [{ address: '127.64.0.2', type: 'private' }],
      access: { is_public: false },
      datastore: { type: 'mysql', version: '5.7', version_number: '5.7.29' },
    });
    for (const field of ['server_id', 'volume_id', 'encrypted_rpc_messaging', 'tenant_id'])
      expect(instance).not.toHaveProperty(field);
  });

  test('an admin sees server, volume, project and whether there is a key', async () => {
    await api.catalog.knex('instances').where({ id: ids[1] }).update({ rpc_policy: 2 });
    const clear = instanceIn(await api.send('GET', `/instances/${ids[0]}`, { as: 'admin' }));
    const fields = { server_id: 'server-1', volume_id: 'volume-1', tenant_id: PROJECT };
    expect(clear).toMatchObject({ ...fields, encrypted_rpc_messaging: false });
    const sealed = instanceIn(await api.send('GET', `/instances/${ids[1]}`, { as: 'admin' }));
    expect(sealed).toMatchObject({ ...fields, encrypted_rpc_messaging: true });
  });

  test("an admin reaches another project's instance by id, and does not find it in the list", async () => {
    await api.catalog.knex('instances').where({ id: ids[0] }).update({ tenant_id: OTHER_PROJECT });
    expect((await api.send('GET', `/instances/${ids[0]}`)).code).toBe(404);
    expect((await api.send('GET', `/instances/${ids[0]}`, { as: 'admin' })).code).toBe(200);
    expect(shown((await api.send('GET', '/instances', { as: 'admin' })).body).map(({ id }) => id)).not.toContain(
      ids[0],
    );
    await api.catalog.knex('instances').where({ id: ids[0] }).update({ tenant_id: PROJECT });
  });

  test('pages go by id, each shows the newest first, and the last has no link', async () => {
    const first = await api.send('GET', '/instances?include_clustered=False');
    const sorted = [...ids].sort();
    expect(
      shown(first.body)
        .map(({ id }) => String(id))
        .toSorted(),
    ).toEqual(sorted.slice(0, 3));
    const created = shown(first.body).map(({ id }) => ids.indexOf(String(id)));
    expect(created).toEqual([...created].sort((one, other) => other - one));
    const marker = sorted[2];
    expect((first.body as { links: unknown }).links).toEqual([
      {
        rel: 'next',
        href: `https://trove.example:8779/v1.0/${PROJECT}/instances?include_clustered=False&limit=3&marker=${marker}`,
      },
    ]);
    const second = await api.send('GET', `/instances.json?limit=3&marker=${marker}`);
    expect(shown(second.body).map(({ id }) => id)).toEqual(sorted.slice(3));
    expect(second.body).not.toHaveProperty('links');
  });

  test('a larger limit than the page is cut, one that is no number is 400', async () => {
    expect(shown((await api.send('GET', '/instances?limit=1000')).body)).toHaveLength(3);
    expect(shown((await api.send('GET', '/instances?limit=1')).body)).toHaveLength(1);
    for (const limit of ['x', '-1', '1.5']) expect((await api.send('GET', `/instances?limit=${limit}`)).code).toBe(400);
    expect((await api.send('GET', '/instances?marker=%F0%9F%90%AC')).code).toBe(400);
  });

  test('members of clusters are hidden unless they are asked for', async () => {
    await api.catalog.knex('clusters').insert({
      id: 'c1',
      created: '2026-01-01 00:00:00',
      updated: '2026-01-01 00:00:00',
      name: 'c',
      task_id: 1,
      tenant_id: PROJECT,
      datastore_version_id: '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a001',
    });
    await api.catalog.knex('instances').where({ id: ids[3] }).update({ cluster_id: 'c1' });
    expect(shown((await api.send('GET', '/instances')).body)).toHaveLength(3);
    const all = [...shown((await api.send('GET', '/instances?include_clustered=TRUE')).body)];
    expect(all.length).toBe(3);
    expect((await api.send('GET', '/instances?include_clustered=TRUE')).body).toHaveProperty('links');
    await api.catalog.knex('instances').where({ id: ids[3] }).update({ cluster_id: null });
  });

  test('several service statuses, faults and replicas make one instance, with the newest of each', async () => {
    const id = ids[0] ?? '';
    const { knex } = api.catalog;
    const status = { instance_id: id, status_id: 4, status_description: 'shutdown' };
    await knex('service_statuses').insert({ ...status, id: 'old', updated_at: '2020-01-01 00:00:00' });
    const fault = { instance_id: id, created: '2026-01-02 00:00:00', updated: '2026-01-03 00:00:00', deleted: 0 };
    await knex('instance_faults').insert({ ...fault, id: 'f1', message: 'It broke.', details: 'stack' });
    await knex('instances').where({ id: ids[1] }).update({ slave_of_id: id });
    await knex('instance_reports').where({ instance_id: id }).delete();
    await knex('instance_reports').insert({ instance_id: id, volume_used: 0.4567, volume_total: 3 });
    const instance = instanceIn(await api.send('GET', `/instances/${id}`));
    expect(instance).toMatchObject({
      operating_status: 'HEALTHY',
      fault: { message: 'It broke.', created: '2026-01-03T00:00:00', details: null },
      replicas: [{ id: ids[1] }],
      volume: { size: 3, used: 0.46, used_percent: 15.22 },
    });
    expect(instanceIn(await api.send('GET', `/instances/${id}`, { as: 'admin' }))).toMatchObject({
      fault: { details: 'stack' },
    });
    expect(instanceIn(await api.send('GET', `/instances/${ids[1]}`))).toMatchObject({ replica_of: { id } });
    const details = shown((await api.send('GET', '/instances/detail?limit=10')).body);
    expect(details).toHaveLength(3);
    for (const detail of details) expect(detail['volume']).toEqual({ size: 3 });
  });
});
