import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createInstance, emptyCatalog, newInstance } from './testing/instances.ts';
import { OTHER_PROJECT, PROJECT, type SendOptions, type TestApi, testApi, VERSIONS } from './testing/test_api.ts';

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

  const path = (project: string) => `/mgmt/quotas/${project}`;
  const shown = async (project = PROJECT, as: SendOptions['as'] = 'admin') => {
    const { code, body, text } = await api.send('GET', path(project), { as });
    if (code !== 200) throw new Error(`${code} ${text}`);
    const { quotas } = body as { quotas: Record<string, unknown>[] };
    return quotas.map(({ resource, in_use, reserved, limit }) => [resource, in_use, reserved, limit]);
  };
  const set = (quotas: unknown, options: { project?: string; as?: SendOptions['as'] } = {}) =>
    api.send('PUT', path(options.project ?? PROJECT), { as: options.as ?? 'admin', body: { quotas } });

  describe('are shown', () => {
    test('as reservations are checked against them, to whoever is of the project', async () => {
      await createInstance(api);
      const books = [
        ['instances', 0, 1, 4],
        ['ram', 0, 512, -1],
        ['backups', 0, 0, 50],
        ['volumes', 0, 3, 10],
      ];
      expect(await shown(PROJECT, 'alice')).toEqual(books);
      expect(await shown()).toEqual(books);
      expect((await shown(OTHER_PROJECT, 'bob'))[0]).toEqual(['instances', 0, 0, 4]);
      expect((await shown(OTHER_PROJECT))[0]).toEqual(['instances', 0, 0, 4]);
    });

    test('to nobody of another project, there or not', async () => {
      for (const project of [OTHER_PROJECT, 'nowhere']) expect((await api.send('GET', path(project))).code).toBe(403);
      expect((await api.send('GET', path(PROJECT), { as: null })).code).toBe(401);
    });

    test.each([
      ['missing', {}],
      ['NULL', { instances: { in_use: null, reserved: null }, volumes: { in_use: null, reserved: 2 } }],
    ])('counted where usage is %s, and stay as they are', async (_how, rows) => {
      const adopted = { tenant_id: PROJECT, datastore_version_id: VERSIONS.current, flavor_id: '25', fence: 0 };
      await api.catalog.knex('instances').insert([
        { ...adopted, id: '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a301', volume_size: 3, deleted: 0 },
        { ...adopted, id: '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a303', volume_size: 9, deleted: 1 },
      ]);
      for (const [resource, row] of Object.entries(rows))
        await api.catalog.knex('quota_usages').insert({ id: `u-${resource}`, tenant_id: PROJECT, resource, ...row });
      const before = await api.catalog.knex('quota_usages').orderBy('id').select();
      const reserved = 'volumes' in rows ? 2 : 0;
      expect(await shown()).toEqual([
        ['instances', 1, 0, 4],
        ['ram', 512, 0, -1],
        ['backups', 0, 0, 50],
        ['volumes', 3 - reserved, reserved, 10],
      ]);
      expect(await api.catalog.knex('quota_usages').orderBy('id').select()).toEqual(before);
      expect((await create()).code).toBe(200);
      expect((await shown())[0]).toEqual(['instances', 1, 1, 4]);
    });
  });

  describe('take limits', () => {
    test('from an admin, for any project, that hold from the next create on', async () => {
      const answer = await set({ instances: 1, volumes: null, ram: 600 });
      expect([answer.code, answer.body]).toEqual([200, { quotas: { instances: 1, ram: 600 } }]);
      expect((await shown()).map(([, , , limit]) => limit)).toEqual([1, 600, 50, 10]);
      expect((await create()).code).toBe(200);
      expect((await create()).text).toContain("['instances', 'ram']");
      expect((await set({ instances: -1, ram: -1 })).code).toBe(200);
      expect((await create()).code).toBe(200);
      expect((await shown())[0], 'what is there stays, above its limit too').toEqual(['instances', 0, 2, -1]);
      expect((await set({ instances: 0 }, { project: OTHER_PROJECT })).code).toBe(200);
      expect((await api.send('POST', '/instances', { as: 'bob', body: newInstance() })).code).toBe(413);
      expect(await api.catalog.knex('quotas').select('id')).toHaveLength(3);
    });

    test('at one time without losing any', async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => set({ volumes: index, ram: index })));
      expect(new Set(answers.map(({ code }) => code))).toEqual(new Set([200]));
      const limits: number[] = await api.catalog.knex('quotas').pluck('hard_limit');
      expect(limits).toHaveLength(2);
      expect(limits[0], 'both of one request').toBe(limits[1]);
    });

    const refused: [string, number, unknown, object?][] = [
      ['below -1', 400, { instances: 1, ram: -2 }],
      ['with a fraction', 400, { instances: 1.5 }],
      ['in words', 400, { instances: '5' }],
      ['more than the catalog can hold', 400, { instances: 1, ram: 2 ** 31 }],
      ['of something else', 404, { instances: 1, floating_ips: 3 }],
      ['from a member', 403, { instances: 1 }, { as: 'alice' }],
      ['from a member of another project', 403, { instances: 1 }, { as: 'alice', project: OTHER_PROJECT }],
      ['of a project that cannot be', 400, { instances: 1 }, { project: 'p'.repeat(37) }],
    ];
    test.each(refused)('not %s: %i, and nothing is changed', async (_what, code, quotas, options) => {
      expect((await set(quotas, options)).code).toBe(code);
      expect(await api.catalog.knex('quotas').select('id')).toEqual([]);
    });
  });

  test('are limits to every member', async () => {
    await set({ volumes: 7 });
    expect((await api.send('GET', '/limits')).body).toEqual({
      limits: [{ verb: 'ABSOLUTE', max_instances: 4, max_ram: -1, max_backups: 50, max_volumes: 7 }],
    });
  });
});
