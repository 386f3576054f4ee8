import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createInstance, emptyCatalog, newInstance } from './testing/instances.ts';
import { PROJECT, type TestApi, testApi, VERSIONS } from './testing/test_api.ts';

describe.each(['sqlite', 'mysql'] as const)('the books of quota on %s', (dialect) => {
  let api: TestApi;
  beforeAll(async () => {
    api = await testApi({ dialect, settings: { quotas: { backups: 50, instances: 4, ram: -1, volumes: 10 } } });
  });
  beforeEach(async () => {
    await emptyCatalog(api);
    await api.catalog.knex('quotas').delete();
  });
  afterAll(() => api.dispose());

  const create = (changes: Record<string, unknown> = {}) =>
    api.send('POST', '/instances', { body: newInstance({ volume: { size: 1 }, ...changes }) });
  const usage = async () => {
    const rows = await api.catalog
      .knex('quota_usages')
      .where({ tenant_id: PROJECT })
      .select('resource', 'in_use', 'reserved');
    return Object.fromEntries(rows.map(({ resource, in_use, reserved }) => [resource, in_use + reserved]));
  };

  test('of many creates at one time exactly as many are taken as fit', async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, () => create()));
    expect(answers.map(({ code }) => code).toSorted((one, other) => one - other)).toEqual([
      ...Array(4).fill(200),
      ...Array(8).fill(413),
    ]);
    expect(await api.catalog.knex('instances').select('id')).toHaveLength(4);
    expect(await api.catalog.knex('tasks').select('id')).toHaveLength(4);
    expect(await usage()).toEqual({ backups: 0, instances: 4, ram: 4 * 512, volumes: 4 });
    expect(await api.catalog.knex('quota_usages').where({ tenant_id: PROJECT })).toHaveLength(4);
  });

  test('what goes over is named, in the shape of Trove, and leaves nothing', async () => {
    const answer = await create({ volume: { size: 10 } });
    expect(answer.code).toBe(200);
    const over = await create();
    expect([over.code, over.body]).toEqual([
      413,
      { overLimit: { code: 413, message: "Quota exceeded for resources: ['volumes']." } },
    ]);
    expect(await usage()).toEqual({ backups: 0, instances: 1, ram: 512, volumes: 10 });
    expect(await api.catalog.knex('reservations').select('id')).toHaveLength(3);
  });

  test('limits of the project come before those of the deployment', async () => {
    await api.catalog.knex('quotas').insert({ id: 'q1', tenant_id: PROJECT, resource: 'instances', hard_limit: 1 });
    await api.catalog.knex('quotas').insert({ id: 'q2', tenant_id: PROJECT, resource: 'ram', hard_limit: 600 });
    expect((await create({ flavorRef: 'd3' })).text).toContain("['ram']");
    expect((await create()).code).toBe(200);
    expect((await create()).text).toContain("['instances', 'ram']");
  });

  test('usage that an adopted catalog has not, or has as NULL, is counted from what is there, under concurrent creates too', async () => {
    const adopted = {
      tenant_id: PROJECT,
      deleted: 0,
      datastore_version_id: VERSIONS.current,
      flavor_id: '25',
      fence: 0,
    };
    await api.catalog.knex('instances').insert([
      { ...adopted, id: '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a301', volume_size: 3 },
      { ...adopted, id: '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a302', volume_size: 2 },
      { ...adopted, id: '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a303', volume_size: 9, deleted: 1 },
    ]);
    await api.catalog
      .knex('quota_usages')
      .insert({ id: 'u1', tenant_id: PROJECT, resource: 'instances', in_use: null, reserved: null });
    const answers = await Promise.all([create(), create(), create(), create()]);
    expect(answers.map(({ code }) => code).toSorted((one, other) => one - other)).toEqual([200, 200, 413, 413]);
    expect(await usage()).toEqual({ backups: 0, instances: 4, ram: 4 * 512, volumes: 7 });
  });

  test('creates under one Idempotency-Key at one time make one instance', async () => {
    const headers = { 'idempotency-key': 'one' };
    const body = newInstance();
    const answers = await Promise.all([1, 2, 3].map(() => api.send('POST', '/instances', { body, headers })));
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set([200]));
    expect(await usage()).toEqual({ backups: 0, instances: 1, ram: 512, volumes: 3 });
  });

  test('a create without any limit in its way keeps its books', async () => {
    await createInstance(api);
    expect(await usage()).toEqual({ backups: 0, instances: 1, ram: 512, volumes: 3 });
  });
});
