import { newUuid } from '@trove/common';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { booksOf, createInstance, emptyCatalog, instanceIn, makeActive, newInstance } from '../../testing/instances.ts';
import { type Answer, type TestApi, testApi, VERSIONS } from '../../testing/test_api.ts';

const DAY_MICROSECONDS = 24 * 3600 * 1_000_000;

describe.each(['sqlite', 'mysql'] as const)('requests under an Idempotency-Key, on %s', (dialect) => {
  let api: TestApi;
  let id: string;
  beforeAll(async () => {
    api = await testApi({ dialect });
  });
  beforeEach(async () => {
    await emptyCatalog(api);
    id = await createInstance(api);
    await makeActive(api, id);
  });
  afterAll(() => api.dispose());

  const headers = { 'idempotency-key': 'k-1' };
  type Send = (changes?: { other?: boolean; as?: 'admin' | 'bob' }) => Promise<Answer>;
  /** Each request that files a task; `other` asks something else under the same key. */
  const requests: Record<string, Send> = {
    create: ({ other, ...as } = {}) =>
      api.send('POST', '/instances', { body: newInstance(other ? { name: 'm11' } : {}), headers, ...as }),
    PATCH: ({ other, ...as } = {}) => {
      const body = { instance: { datastore_version: other ? VERSIONS.current : VERSIONS.next } };
      return api.send('PATCH', `/instances/${id}`, { body, headers, ...as });
    },
    PUT: ({ other, ...as } = {}) => {
      const body = { instance: { datastore_version: VERSIONS.next, name: other ? 'n2' : 'n1' } };
      return api.send('PUT', `/instances/${id}`, { body, headers, ...as });
    },
    restart: ({ other, ...as } = {}) =>
      other
        ? api.send('DELETE', `/instances/${id}`, { headers, ...as })
        : api.send('POST', `/instances/${id}/action`, { body: { restart: {} }, headers, ...as }),
    delete: ({ other, ...as } = {}) => {
      const path = `/instances/${id}${other ? '?force=1' : ''}`;
      return api.send('DELETE', path, { headers, ...as });
    },
  };
  const taskOf = (answer: Answer): unknown => answer.headers['x-trove-task-id'];
  const end = async (taskId: unknown, state: string): Promise<void> => {
    await api.catalog
      .knex('tasks')
      .where({ id: taskId })
      .update({ state, error: JSON.stringify({ code: 'INTERNAL', message: 'x' }) });
  };

  describe.each(Object.keys(requests))('%s', (name) => {
    const send: Send = (changes) => requests[name]?.(changes) ?? Promise.reject(new Error('no such request'));

    test('the answer names the task, the repeat names the same one and changes nothing', async () => {
      const first = await send();
      expect(first.code).toBe(name === 'create' ? 200 : 202);
      expect(await api.catalog.knex('tasks').where({ id: taskOf(first) })).toHaveLength(1);
      const books = await booksOf(api);
      const second = await send();
      expect([second.code, taskOf(second)]).toEqual([first.code, taskOf(first)]);
      expect(await booksOf(api)).toEqual(books);
    });

    test('another request under the same key is 422 and changes nothing', async () => {
      await send();
      const books = await booksOf(api);
      const other = await send({ other: true });
      expect([other.code, other.text]).toEqual([422, expect.stringContaining('Idempotency-Key')]);
      expect(await booksOf(api)).toEqual(books);
    });

    test('at one time they file one task', async () => {
      const answers = await Promise.all(Array.from({ length: 6 }, () => send()));
      expect(new Set(answers.map(({ code }) => code))).toEqual(new Set([name === 'create' ? 200 : 202]));
      expect(new Set(answers.map(taskOf)).size).toBe(1);
    });

    test('after the task has failed the repeat still finds it', async () => {
      const taskId = taskOf(await send());
      await end(taskId, 'failed');
      await api.catalog.knex('instances').update({ active_task_id: null, task_id: 81, server_status: 'ERROR' });
      expect(taskOf(await send())).toBe(taskId);
    });

    test('after a day the key is free again', async () => {
      const taskId = taskOf(await send());
      await end(taskId, 'done');
      await makeActive(api, id);
      const { knex } = api.catalog;
      await knex('tasks')
        .where({ id: taskId })
        .update({ created: knex.raw('created - ?', [DAY_MICROSECONDS + 1_000_000]) });
      expect(taskOf(await send())).not.toBe(taskId);
      expect(await knex('tasks').where({ id: taskId }).first('idempotency_key')).toEqual({ idempotency_key: null });
    });
  });

  test.each(['PATCH', 'restart', 'delete'])(
    '%s repeated after the instance is gone finds its task, and is 404 for others',
    async (name) => {
      const taskId = taskOf((await requests[name]?.()) as Answer);
      await api.catalog.knex('instances').where({ id }).update({ deleted: 1, active_task_id: null });
      const again = await requests[name]?.();
      expect([again?.code, again && taskOf(again)]).toEqual([202, taskId]);
      expect((await requests[name]?.({ as: 'bob' }))?.code).toBe(404);
    },
  );

  test('a create repeated finds its instance though quota and version would refuse it now', async () => {
    const first = await requests['create']?.();
    await api.catalog.knex('datastore_versions').update({ active: 0 });
    try {
      const again = await requests['create']?.();
      expect(again?.code).toBe(200);
      expect(instanceIn(again as Answer)['id']).toBe(instanceIn(first as Answer)['id']);
    } finally {
      await api.catalog.knex('datastore_versions').whereNot({ id: VERSIONS.inactive }).update({ active: 1 });
    }
  });

  test('a key belongs to its project: another one files its own task under it', async () => {
    const [alices, bobs] = [await requests['create']?.(), await requests['create']?.({ as: 'bob' })];
    expect([alices?.code, bobs?.code]).toEqual([200, 200]);
    expect(taskOf(bobs as Answer)).not.toBe(taskOf(alices as Answer));
  });

  test.each(['', ' ', 'a b', 'x'.repeat(65), 'ä'])('the key %j is refused', async (key) => {
    const answer = await api.send('DELETE', `/instances/${id}`, { headers: { 'idempotency-key': key } });
    expect(answer.code).toBe(400);
    expect(await api.catalog.knex('tasks').where({ kind: 'delete_instance' })).toEqual([]);
  });

  test('without a key each request is its own, and a repeated delete still finds the first', async () => {
    const first = await api.send('DELETE', `/instances/${id}`);
    expect(taskOf(await api.send('DELETE', `/instances/${id}`))).toBe(taskOf(first));
    expect((await api.send('DELETE', `/instances/${newUuid()}`)).code).toBe(404);
  });
});
