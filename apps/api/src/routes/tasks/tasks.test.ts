import { dbNow, handOverSlot, withTransaction } from '@trove/catalog';
import { newUuid } from '@trove/common';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createInstance, emptyCatalog, makeActive } from '../../testing/instances.ts';
import { type TestApi, testApi } from '../../testing/test_api.ts';

const NAMES = ['make_key', 'declare_guest', 'await_healthy'];

describe.each(['sqlite', 'mysql'] as const)('tasks of an instance, on %s', (dialect) => {
  let api: TestApi;
  let id: string;
  beforeAll(async () => {
    api = await testApi({ dialect, settings: { pageSizes: { instances: 2, databases: 2, users: 2 } } });
  });
  beforeEach(async () => {
    await emptyCatalog(api);
    await api.catalog.knex('task_steps').delete();
    id = await createInstance(api);
  });
  afterAll(() => api.dispose());

  type Shown = Record<string, unknown> & { id: string; steps: unknown[] };
  const tasks = async (path = '') => (await api.send('GET', `/instances/${id}/tasks${path}`)).body;
  const listed = async (): Promise<Shown[]> => ((await tasks()) as { tasks: Shown[] }).tasks;
  const newest = async (): Promise<Shown> => {
    const [task] = await listed();
    if (task === undefined) throw new Error('there is no task');
    return task;
  };
  /** What a taskmanager writes of a task that is at its second step. */
  const begin = async (taskId: string, state: string, second: Record<string, unknown>): Promise<void> => {
    const { knex } = api.catalog;
    await knex('tasks')
      .where({ id: taskId })
      .update({ state, step: NAMES[1], step_names: JSON.stringify(NAMES), lease_owner: 'host/1', fence: 7 });
    const step = { task_id: taskId, attempts: 0, finished: null, output: null };
    const at = 1_700_000_000_123_456n;
    await knex('task_steps').insert([
      { ...step, name: NAMES[0], state: 'done', token: 'token-1', output: '"secret"', started: at, finished: at + 1n },
      { ...step, name: NAMES[1], state: 'intent', token: 'token-2', started: at + 2n, ...second },
    ]);
  };

  test('one that nobody has begun is pending, and its steps are not known', async () => {
    expect(await newest()).toMatchObject({
      kind: 'create_instance',
      instance_id: id,
      state: 'pending',
      step: null,
      steps_done: 0,
      steps_total: 0,
      steps: [],
    });
  });

  test('one that could be worked on, and is by nobody for long, says since when', async () => {
    const { knex } = api.catalog;
    const { id: taskId } = await newest();
    const since = async (): Promise<unknown> => (await newest()).unattended_since;
    const ago = (seconds: number) => knex.raw('? - ?', [dbNow(knex), seconds * 1_000_000]);
    const now = async (): Promise<number> => Number(Object.values((await knex.select({ now: dbNow(knex) }))[0])[0]);
    const set = async (columns: Record<string, unknown>): Promise<void> => {
      await knex('tasks').where({ id: taskId }).update(columns);
    };
    expect(await since(), 'a new one').toBeNull();
    await set({ updated: ago(100) });
    const at = Date.parse(`${String(await since())}Z`) / 1000;
    expect(Math.abs((await now()) / 1_000_000 - 100 - at)).toBeLessThan(20);
    await set({ state: 'running', lease_until: ago(-30) });
    expect(await since(), 'somebody works on it').toBeNull();
    await set({ lease_until: ago(20) });
    expect(await since(), 'its worker is gone').not.toBeNull();
    await set({ state: 'waiting', lease_until: null, wake_at: ago(-10) });
    expect(await since(), 'it waits').toBeNull();
    await set({ wake_at: ago(20) });
    expect(await since(), 'its time has come').not.toBeNull();
    await knex('instances').where({ id }).update({ active_task_id: newUuid() });
    expect(await since(), 'it stands behind another').toBeNull();
    await knex('instances').where({ id }).update({ active_task_id: taskId });
    await set({ state: 'done' });
    expect(await since()).toBeNull();
  });

  test('one that stood behind another is not counted as unattended for that time', async () => {
    const { knex } = api.catalog;
    const holder = (await newest()).id;
    await api.send('DELETE', `/instances/${id}`);
    await knex('tasks').update({ updated: knex.raw('? - 100000000', [dbNow(knex)]) });
    await withTransaction(api.catalog, (tx) => handOverSlot(tx, { instanceId: id, holder }));
    expect(await newest()).toMatchObject({ kind: 'delete_instance', state: 'pending', unattended_since: null });
  });

  test('one that waits shows all its steps, with what the present one waits for', async () => {
    const { id: taskId } = await newest();
    await begin(taskId, 'waiting', { attempts: 2, output: '{"progress":"the guest is making its database"}' });
    const time = '2023-11-14T22:13:20';
    expect(await tasks(`/${taskId}`)).toEqual({
      task: {
        id: taskId,
        kind: 'create_instance',
        instance_id: id,
        state: 'waiting',
        step: 'declare_guest',
        steps_done: 1,
        steps_total: 3,
        steps: [
          { name: 'make_key', state: 'done', attempts: 1, started: time, finished: time, progress: null },
          {
            name: 'declare_guest',
            state: 'running',
            attempts: 3,
            started: time,
            finished: null,
            progress: 'the guest is making its database',
          },
          { name: 'await_healthy', state: 'pending', attempts: 0, started: null, finished: null, progress: null },
        ],
        cancel_requested: false,
        unattended_since: null,
        deadline: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/),
        created: expect.any(String),
        updated: expect.any(String),
      },
    });
  });

  test('one that failed shows why in public words, and which steps were never begun', async () => {
    const { id: taskId } = await newest();
    await begin(taskId, 'failed', { state: 'failed', attempts: 4 });
    const error = { code: 'COMPUTE_ERROR', message: 'There is no room.', left: ['make_key'], before: { message: 'x' } };
    await api.catalog
      .knex('tasks')
      .where({ id: taskId })
      .update({ error: JSON.stringify(error) });
    const task = await newest();
    expect(task['error']).toEqual({ code: 'COMPUTE_ERROR', message: 'There is no room.' });
    expect(task.steps).toMatchObject([
      { state: 'done' },
      { state: 'failed', attempts: 4, progress: null },
      { name: 'await_healthy', state: 'skipped' },
    ]);
  });

  test('a step that was neither ended nor undone when the task turned back is stopped', async () => {
    const { id: taskId } = await newest();
    await begin(taskId, 'cancelled', { output: '{"progress":"waiting"}' });
    expect((await newest()).steps[1]).toMatchObject({ state: 'stopped', progress: null });
  });

  test('neither parameters nor outputs, tokens, keys, fences and leases are in any answer', async () => {
    await api.send('DELETE', `/instances/${id}`, { headers: { 'idempotency-key': 'key-of-the-delete' } });
    const task = (await listed()).find(({ kind }) => kind === 'create_instance');
    await begin(task?.id ?? '', 'running', {});
    const { text } = await api.send('GET', `/instances/${id}/tasks`, { as: 'admin' });
    for (const word of ['params', 'output', 'secret', 'token', 'key-of-the-delete', 'fence', 'lease', 'host/1'])
      expect(text).not.toContain(word);
  });

  test('the newest come first, a page at a time, each task once', async () => {
    await makeActive(api, id);
    for (let i = 0; i < 4; i += 1) {
      await api.send('POST', `/instances/${id}/action`, { body: { restart: {} } });
      await makeActive(api, id);
    }
    const created = await api.catalog
      .knex('tasks')
      .orderBy([{ column: 'created', order: 'desc' }, 'id'])
      .pluck('id');
    const seen: string[] = [];
    for (let path = ''; ; ) {
      const page = (await tasks(path)) as { tasks: Shown[]; links?: { href: string }[] };
      expect(page.tasks.length).toBeLessThanOrEqual(2);
      seen.push(...page.tasks.map((task) => task.id));
      const next = page.links?.[0]?.href;
      if (next === undefined) break;
      path = new URL(next).search;
    }
    expect(new Set(seen)).toEqual(new Set(created));
    expect(seen).toHaveLength(5);
    expect(seen.at(-1)).toBe(created.at(-1));
  });

  test("a tenant sees those of its project's instances only, an admin all, also after the instance is gone", async () => {
    const { id: taskId } = await newest();
    await api.catalog.knex('instances').where({ id }).update({ deleted: 1 });
    for (const path of [`/instances/${id}/tasks`, `/instances/${id}/tasks/${taskId}`]) {
      expect((await api.send('GET', path)).code).toBe(200);
      expect((await api.send('GET', path, { as: 'bob' })).code).toBe(404);
    }
    await api.catalog.knex('instances').where({ id }).update({ tenant_id: '1111111111111111111111111111111f' });
    expect((await api.send('GET', `/instances/${id}/tasks/${taskId}`)).code).toBe(404);
    expect((await api.send('GET', `/instances/${id}/tasks/${taskId}`, { as: 'admin' })).code).toBe(200);
  });

  test("what is no task of the instance is 404, another instance's too", async () => {
    const other = await createInstance(api, { name: 'other' });
    const task = await api.catalog.knex('tasks').where({ instance_id: other }).first('id');
    for (const taskId of [task.id, newUuid(), 'no-id'])
      expect((await api.send('GET', `/instances/${id}/tasks/${taskId}`)).code).toBe(404);
    expect((await api.send('GET', `/instances/${newUuid()}/tasks`)).code).toBe(404);
  });
});
