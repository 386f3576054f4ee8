import { newUuid } from '@trove/common';
import { expect, it } from 'vitest';
import { PROJECT } from '../../test/house.ts';
import { Workshop } from '../../test/workshop.ts';
import { dueTasks } from './due.ts';

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
