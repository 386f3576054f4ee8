import { newUuid } from '@trove/common';
import { expect, it } from 'vitest';
import { fileRemove, PROJECT, taskOf } from '../../test/house.ts';
import { Workshop } from '../../test/workshop.ts';
import { dueTasks, markParked } from './due.ts';

const shop = new Workshop('mysql');

it('looking for due tasks reads neither the ended tasks nor all instances', async () => {
  const { catalog, kinds } = shop;
  const tasks = Array.from({ length: 1000 }, (_, index) => ({
    id: newUuid(),
    kind: 'build',
    instance_id: newUuid(),
    project_id: PROJECT,
    params: '{}',
    state: index < 10 ? 'pending' : 'done',
    deadline: 1,
    code_version: 1,
    created: index,
    updated: index,
  }));
  await catalog.knex.batchInsert('tasks', tasks, 250);
  const holders = tasks.map(({ id, instance_id }) => ({ id: instance_id, active_task_id: id, deleted: 0 }));
  await catalog.knex.batchInsert('instances', holders, 250);
  await catalog.knex.raw('ANALYZE TABLE tasks, instances');
  const asked: { sql: string; bindings: readonly string[] }[] = [];
  catalog.knex.on('query', (query: { sql: string; bindings: readonly string[] }) => asked.push(query));
  expect(await dueTasks(catalog, kinds, 100)).toHaveLength(10);
  const [query] = asked;
  const [plan]: { table: string; type: string; rows: string }[][] = await catalog.knex.raw(
    `EXPLAIN ${query?.sql ?? ''}`,
    query?.bindings ?? [],
  );
  expect(plan?.map(({ table, type }) => [table, type])).toEqual([
    ['tasks', 'range'],
    ['instances', 'eq_ref'],
  ]);
  expect(Number(plan?.[0]?.rows)).toBeLessThan(100);
});

it('what has been due for longest comes first: many that wake every second keep no new one out', async () => {
  const { catalog, kinds } = shop;
  const [old, fresh] = [await shop.build(), await shop.build()];
  const { knex } = catalog;
  await knex('tasks')
    .where({ id: old.taskId })
    .update({ state: 'waiting', created: 1000, wake_at: knex.raw('(SELECT ? + 1)', [await createdOf(fresh.taskId)]) });
  const due = await dueTasks(catalog, kinds, 100);
  expect(due.filter((id) => [old.taskId, fresh.taskId].includes(id))).toEqual([fresh.taskId, old.taskId]);
});

async function createdOf(taskId: string): Promise<string> {
  return String((await taskOf(shop.catalog, taskId)).created);
}

it('a task that goes back and is not known here is parked on top of its error', async () => {
  const { catalog, kinds } = shop;
  const { taskId } = await shop.build();
  const before = { code: 'COMPUTE_ERROR', message: 'The outside world said no.' };
  await catalog
    .knex('tasks')
    .where({ id: taskId })
    .update({ state: 'compensating', error: JSON.stringify(before), code_version: 9 });
  expect(await markParked(catalog, kinds, 0)).toEqual(['build']);
  expect(await markParked(catalog, kinds, 0)).toEqual([]);
  expect(JSON.parse((await taskOf(catalog, taskId)).error ?? '')).toMatchObject({ parked: true, before });
});

it('what another release beside this one will take, or what waits for its slot, is not parked', async () => {
  const { catalog, kinds } = shop;
  const { taskId, instanceId } = await shop.build();
  const { taskId: successor } = await fileRemove(catalog, instanceId);
  await catalog.knex('tasks').whereIn('id', [taskId, successor]).update({ code_version: 9 });
  expect(await markParked(catalog, kinds, 60_000)).toEqual([]);
  await catalog.knex('tasks').where({ id: taskId }).update({ state: 'waiting', wake_at: 1 });
  expect(await markParked(catalog, kinds, 60_000)).toEqual(['build']);
  expect(await taskOf(catalog, successor)).toMatchObject({ error: null });
});
