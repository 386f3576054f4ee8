import { createHash } from 'node:crypto';
import { type Dialect, withTransaction } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { newUuid, Secret } from '@trove/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildTask, fileBuild, fileRemove, instanceOf, newInstance, PROJECT, taskOf } from '../../test/house.ts';
import { fileTask } from './file_task.ts';
import { findRepeatedTask, forgetOldRequests } from './idempotency.ts';
import { type RequestHash, requestHash } from './request_hash.ts';

const hashOf = (method: string, path: string, body: unknown, ring: readonly string[] = ['k1']): RequestHash =>
  requestHash(
    ring.map((key) => new Secret(key)),
    { method, path, body },
  );
const DAY_MICROSECONDS = 24 * 3600 * 1_000_000;

describe.each<Dialect>(['sqlite', 'mysql'])('filing on %s', (dialect) => {
  let catalog: TestCatalog;
  beforeAll(async () => {
    catalog = await testCatalog(dialect);
  });
  afterAll(() => catalog.dispose());

  it('a task takes the slot in the transaction that files it', async () => {
    const instanceId = await newInstance(catalog);
    const { taskId, repeated } = await fileBuild(catalog, instanceId);
    expect(repeated).toBe(false);
    expect((await instanceOf(catalog, instanceId)).active_task_id).toBe(taskId);
    const task = await taskOf(catalog, taskId);
    expect(task).toMatchObject({ state: 'pending', instance_id: instanceId, after_task: null, cancel_requested: 0 });
    expect(Number(task.deadline) - Number(task.created)).toBe(600_000_000);
    expect(Math.abs(Number(task.created) / 1000 - Date.now())).toBeLessThan(60_000);
  });

  it('a second task on a busy or a deleted instance is refused, and nothing is written', async () => {
    const instanceId = await newInstance(catalog);
    await fileBuild(catalog, instanceId);
    await expect(fileBuild(catalog, instanceId)).rejects.toMatchObject({ code: 'UNPROCESSABLE' });
    const gone = await newInstance(catalog);
    await catalog.knex('instances').where({ id: gone }).update({ deleted: 1 });
    await expect(fileBuild(catalog, gone)).rejects.toMatchObject({ code: 'UNPROCESSABLE' });
    expect(await catalog.knex('tasks').where({ instance_id: gone })).toEqual([]);
    expect(await catalog.knex('tasks').where({ instance_id: instanceId })).toHaveLength(1);
  });

  it('of many tasks filed at once one gets the slot', async () => {
    const instanceId = await newInstance(catalog);
    const filed = await Promise.allSettled(Array.from({ length: 12 }, () => fileBuild(catalog, instanceId)));
    expect(filed.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await catalog.knex('tasks').where({ instance_id: instanceId })).toHaveLength(1);
  });

  it('a request repeated under its idempotency key finds its task, after the slot is free too', async () => {
    const instanceId = await newInstance(catalog);
    const identity = { idempotencyKey: newUuid(), requestHash: hashOf('POST', '/x', { a: 1 }) };
    const first = await fileBuild(catalog, instanceId, {}, identity);
    await catalog.knex('instances').where({ id: instanceId }).update({ active_task_id: null });
    expect(await fileBuild(catalog, instanceId, {}, identity)).toEqual({ ...first, repeated: true });
    expect(await catalog.knex('tasks').where({ instance_id: instanceId })).toHaveLength(1);
    const found = await withTransaction(catalog, (tx) => findRepeatedTask(tx, { projectId: PROJECT, ...identity }));
    expect(found).toEqual({ ...first, repeated: true });
  });

  it('the same key with another request is refused; in another project it is another key', async () => {
    const idempotencyKey = newUuid();
    const identity = { idempotencyKey, requestHash: hashOf('POST', '/x', { a: 1 }) };
    await fileBuild(catalog, await newInstance(catalog), {}, identity);
    const other = { idempotencyKey, requestHash: hashOf('POST', '/x', { a: 2 }) };
    await expect(fileBuild(catalog, await newInstance(catalog), {}, other)).rejects.toMatchObject({
      code: 'UNPROCESSABLE',
    });
    const elsewhere = await fileBuild(catalog, await newInstance(catalog), {}, { ...other, projectId: 'b'.repeat(32) });
    expect(elsewhere.repeated).toBe(false);
  });

  it('a request that was filed before there was a key, or under an earlier one, is known again', async () => {
    const idempotencyKey = newUuid();
    const body = { users: [{ name: 'a', password: 'secret' }] };
    const plain = createHash('sha256').update(
      '["POST","/x",{"members":[["users",[{"members":[["name","a"],["password","secret"]]}]]]}]',
    );
    const earlier = plain.digest('hex');
    const first = await fileBuild(
      catalog,
      await newInstance(catalog),
      {},
      {
        idempotencyKey,
        requestHash: { form: earlier, alike: [earlier] },
      },
    );
    const again = (other: object = {}, ring = ['new', 'k1']) =>
      fileBuild(
        catalog,
        first.instanceId,
        {},
        {
          idempotencyKey,
          requestHash: hashOf('POST', '/x', { ...body, ...other }, ring),
        },
      );
    expect(await again()).toEqual({ ...first, repeated: true });
    await expect(again({ more: 1 })).rejects.toMatchObject({ code: 'UNPROCESSABLE' });
    const { form } = hashOf('POST', '/x', body, ['k1']);
    await catalog.knex('tasks').where({ id: first.taskId }).update({ request_hash: form });
    expect(await again()).toEqual({ ...first, repeated: true });
    await expect(again({}, ['new'])).rejects.toMatchObject({ code: 'UNPROCESSABLE' });
  });

  it('a key is forgotten after a day', async () => {
    const identity = { idempotencyKey: newUuid(), requestHash: hashOf('POST', '/x', null) };
    const first = await fileBuild(catalog, await newInstance(catalog), {}, identity);
    await catalog
      .knex('tasks')
      .where({ id: first.taskId })
      .decrement('created', DAY_MICROSECONDS + 1_000_000);
    const second = await fileBuild(catalog, await newInstance(catalog), {}, identity);
    expect(second.repeated).toBe(false);
    expect((await taskOf(catalog, first.taskId)).idempotency_key).toBeNull();
    expect((await fileBuild(catalog, await newInstance(catalog), {}, identity)).taskId).toBe(second.taskId);
  });

  it('keys that nobody sends again are forgotten too, with the hash, and no others', async () => {
    const file = async (): Promise<string> => {
      const identity = { idempotencyKey: newUuid(), requestHash: hashOf('POST', '/x', null) };
      return (await fileBuild(catalog, await newInstance(catalog), {}, identity)).taskId;
    };
    const [old, young] = [await file(), await file()];
    await catalog
      .knex('tasks')
      .where({ id: old })
      .decrement('created', DAY_MICROSECONDS + 1_000_000);
    expect(await forgetOldRequests(catalog)).toBeGreaterThan(0);
    expect(await taskOf(catalog, old)).toMatchObject({ idempotency_key: null, request_hash: null });
    expect(await taskOf(catalog, young)).toMatchObject({ idempotency_key: expect.any(String) });
    expect(await forgetOldRequests(catalog)).toBe(0);
  });

  it('looking for an earlier request locks nothing: quota and instance have their turn first', async () => {
    const identity = { idempotencyKey: newUuid(), requestHash: hashOf('POST', '/x', null) };
    await fileBuild(catalog, await newInstance(catalog), {}, identity);
    const said: string[] = [];
    await withTransaction(catalog, async (tx) => {
      tx.on('query', ({ sql }: { sql: string }) => said.push(sql));
      await findRepeatedTask(tx, { projectId: PROJECT, ...identity });
    });
    expect(said.filter((sql) => /^update|for update/i.test(sql))).toEqual([]);
    expect(said.filter((sql) => sql.startsWith('select'))).toHaveLength(1);
  });

  it('of two creates under one key at the same moment one is filed and the other may be tried again', async () => {
    const identity = { idempotencyKey: newUuid(), requestHash: hashOf('POST', '/x', null) };
    const create = (): Promise<string> =>
      withTransaction(catalog, async (tx) => {
        const repeated = await findRepeatedTask(tx, { projectId: PROJECT, ...identity });
        if (repeated !== undefined) return repeated.taskId;
        const id = newUuid();
        await tx('instances').insert({ id, tenant_id: PROJECT, deleted: 0 });
        return (await fileTask(tx, buildTask(id, {}, identity))).taskId;
      });
    const results = await Promise.allSettled([create(), create(), create(), create()]);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'CONFLICT', retryable: true });
    }
    const taskId = await create();
    const ids = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(new Set([...ids, taskId])).toEqual(new Set([taskId]));
    expect(await catalog.knex('tasks').where({ idempotency_key: identity.idempotencyKey })).toHaveLength(1);
  });

  it('a delete of an idle instance takes the slot', async () => {
    const instanceId = await newInstance(catalog);
    const { taskId } = await fileRemove(catalog, instanceId);
    expect((await instanceOf(catalog, instanceId)).active_task_id).toBe(taskId);
    expect((await taskOf(catalog, taskId)).after_task).toBeNull();
  });

  it('a delete of a busy instance asks the holder to stop and follows it', async () => {
    const instanceId = await newInstance(catalog);
    const holder = await fileBuild(catalog, instanceId);
    const removal = await fileRemove(catalog, instanceId);
    expect(await taskOf(catalog, holder.taskId)).toMatchObject({ cancel_requested: 1 });
    expect(await taskOf(catalog, removal.taskId)).toMatchObject({ after_task: holder.taskId, state: 'pending' });
    expect((await instanceOf(catalog, instanceId)).active_task_id).toBe(holder.taskId);
  });

  it.each(['an idle', 'a busy'])('deletes of %s instance, however many at once, are one task', async (which) => {
    const instanceId = await newInstance(catalog);
    if (which === 'a busy') await fileBuild(catalog, instanceId);
    const filed = await Promise.all(Array.from({ length: 8 }, () => fileRemove(catalog, instanceId)));
    expect(new Set(filed.map(({ taskId }) => taskId)).size).toBe(1);
    expect(filed.filter(({ repeated }) => !repeated)).toHaveLength(1);
    expect(await catalog.knex('tasks').where({ instance_id: instanceId, kind: 'remove' })).toHaveLength(1);
  });

  it('a delete of what is gone is not found', async () => {
    await expect(fileRemove(catalog, newUuid())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('the request hash', () => {
  it('is the same for the same request, whatever the order of members and the case of the method', () => {
    expect(hashOf('post', '/a', { x: 1, y: [{ p: 1, q: 2 }] })).toEqual(
      hashOf('POST', '/a', { y: [{ q: 2, p: 1 }], x: 1 }),
    );
  });

  it('differs by method, path, body and key', () => {
    const hashes = [
      hashOf('POST', '/a', {}),
      hashOf('PUT', '/a', {}),
      hashOf('POST', '/b', {}),
      hashOf('POST', '/a', { x: null }),
      hashOf('POST', '/a', { x: [1, 2] }),
      hashOf('POST', '/a', { x: [2, 1] }),
      hashOf('POST', '/a', undefined),
      hashOf('POST', '/a', {}, ['another']),
      hashOf('POST', '/a', {}, []),
    ];
    expect(new Set(hashes.map(({ form }) => form)).size).toBe(hashes.length);
  });

  it('is a hash that nobody without the key can make', () => {
    const body = { password: 'guessed' };
    const { form } = hashOf('POST', '/a', body);
    expect(form).not.toBe(hashOf('POST', '/a', body, []).form);
    expect(form).toMatch(/^[0-9a-f]{64}$/);
  });

  it('is known again under each key of the ring, and as it was written before there was a key', () => {
    const now = hashOf('POST', '/a', {}, ['new', 'old']);
    expect(now.form).toBe(hashOf('POST', '/a', {}, ['new']).form);
    for (const before of [['new'], ['old'], []]) expect(now.alike).toContain(hashOf('POST', '/a', {}, before).form);
    expect(now.alike).not.toContain(hashOf('POST', '/a', {}, ['removed']).form);
  });
});
