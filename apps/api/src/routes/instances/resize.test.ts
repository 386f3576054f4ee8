import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { booksOf, createInstance, emptyCatalog, instanceIn, makeActive } from '../../testing/instances.ts';
import { type Answer, type TestApi, testApi } from '../../testing/test_api.ts';

describe.each(['sqlite', 'mysql'] as const)('a resize on %s', (dialect) => {
  let api: TestApi;
  let id: string;
  beforeAll(async () => {
    api = await testApi({
      dialect,
      settings: { quotas: { backups: 50, instances: 4, ram: 1200, volumes: 10 }, maxVolumeSize: 7 },
    });
  });
  beforeEach(async () => {
    await emptyCatalog(api);
    id = await createInstance(api);
    await makeActive(api, id);
    // As the taskmanager does at the end of a create.
    await api.catalog.knex('reservations').update({ status: 'Committed' });
    await api.catalog.knex('quota_usages').update({ in_use: api.catalog.knex.raw('reserved'), reserved: 0 });
    api.asked.length = 0;
  });
  afterAll(() => api.dispose());

  const resize = (argument: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    api.send('POST', `/instances/${id}/action`, { body: { resize: argument }, headers });
  const usageOf = async (resource: string): Promise<unknown> =>
    await api.catalog.knex('quota_usages').where({ resource }).first('in_use', 'reserved');

  test('to another flavor is filed with both flavors, reserves the memory between them and shows RESIZE', async () => {
    const answer = await resize({ flavorRef: 'http://somewhere/flavors/d3' });
    expect([answer.code, answer.text]).toEqual([202, '']);
    const task = await api.catalog.knex('tasks').where({ kind: 'resize_flavor' }).first('*');
    expect(JSON.parse(task.params)).toMatchObject({
      flavor: { id: 'd3', ram: 1024 },
      previous_flavor: { id: '25', ram: 512 },
    });
    expect(api.asked).toMatchObject([{ method: 'run_task', args: { task_id: task.id } }]);
    expect(instanceIn(await api.send('GET', `/instances/${id}`))).toMatchObject({
      status: 'RESIZE',
      flavor: { id: '25' },
    });
    expect(await usageOf('ram')).toEqual({ in_use: 512, reserved: 512 });
    expect(await api.catalog.knex('reservations').where({ status: 'Reserved' }).select('delta')).toEqual([
      { delta: 512 },
    ]);
  });

  test('of the volume takes a number or a text and reserves what is more', async () => {
    expect((await resize({ volume: { size: '5' } })).code).toBe(202);
    const task = await api.catalog.knex('tasks').where({ kind: 'resize_volume' }).first('*');
    expect(JSON.parse(task.params)).toEqual({ volume_size: 5, previous_size: 3 });
    expect(await usageOf('volumes')).toEqual({ in_use: 3, reserved: 2 });
    const busy = await resize({ volume: { size: 6 } });
    expect([busy.code, busy.text]).toEqual([422, expect.stringContaining('(task status was RESIZING)')]);
  });

  test('a repeated Idempotency-Key files no other and reserves nothing more', async () => {
    for (let i = 0; i < 2; i += 1)
      expect((await resize({ volume: { size: 5 } }, { 'idempotency-key': 'r1' })).code).toBe(202);
    expect(await api.catalog.knex('tasks').where({ kind: 'resize_volume' })).toHaveLength(1);
    expect(await usageOf('volumes')).toEqual({ in_use: 3, reserved: 2 });
  });

  test('of many at one time one is taken, and its growth alone is reserved', async () => {
    const answers = await Promise.all([4, 5, 6, 7].map((size) => resize({ volume: { size } })));
    expect(answers.map(({ code }) => code).toSorted((one, other) => one - other)).toEqual([202, 422, 422, 422]);
    const task = await api.catalog.knex('tasks').where({ kind: 'resize_volume' }).first('params');
    const more = JSON.parse(task.params).volume_size - 3;
    expect(await usageOf('volumes')).toEqual({ in_use: 3, reserved: more });
  });

  test.each([
    [{ flavorRef: 25 }, 400, "The new flavor id must be different than the current flavor id of '25'."],
    [{ flavorRef: 'none' }, 400, 'Flavor none cannot be found.'],
    [{ volume: { size: 3 } }, 400, "The new volume 'size' must be larger than the current volume size of '3'."],
    [{ volume: { size: 0 } }, 400, 'size'],
    [{ volume: {} }, 400, 'size'],
    [{}, 400, "A resize needs 'flavorRef' or 'volume'."],
    [{ volume: { size: 8 } }, 413, "Volume 'size' cannot exceed maximum of 7 GB, 8 cannot be accepted."],
  ])('%j is refused with %i and changes nothing', async (argument, code, text) => {
    const before = await booksOf(api);
    const answer = await resize(argument);
    expect([answer.code, answer.text]).toEqual([code, expect.stringContaining(text)]);
    expect(await booksOf(api)).toEqual(before);
  });

  test('beyond the quota is 413 by name; of an instance that does not serve, or has no server, 422', async () => {
    const other = await createInstance(api, { name: 'other', volume: { size: 6 } });
    const before = await booksOf(api);
    expect((await resize({ volume: { size: 5 } })).text).toContain("Quota exceeded for resources: ['volumes'].");
    expect((await resize({ flavorRef: 'd3' })).text).toContain("Quota exceeded for resources: ['ram'].");
    const building = await api.send('POST', `/instances/${other}/action`, {
      body: { resize: { volume: { size: 5 } } },
    });
    expect([building.code, building.text]).toEqual([422, expect.stringContaining('has no server')]);
    expect(await booksOf(api)).toEqual(before);
    await api.catalog.knex('instances').where({ id }).update({ server_status: 'SHUTDOWN' });
    expect((await resize({ flavorRef: 'd3' })).text).toContain('(instance status was SHUTDOWN)');
  });

  test('of a server that neither driver nor resources know is 422 and reserves nothing', async () => {
    await api.catalog.knex('instances').where({ id }).update({ server_status: null });
    const before = await booksOf(api);
    const answer = await resize({ flavorRef: 'd3' });
    expect([answer.code, answer.text]).toEqual([422, expect.stringContaining('not known to the compute driver')]);
    expect(await booksOf(api)).toEqual(before);
  });
});
