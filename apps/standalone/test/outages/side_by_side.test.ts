import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { instanceOf, newInstance, openServices, type RunningService, type Services, taskEnd } from './services.ts';

// Each service and guest is a process of its own.
vi.setConfig({ testTimeout: 900_000, hookTimeout: 120_000 });

const CREATES = 20;
const AT_A_TIME = 8;

let services: Services;
let apis: RunningService[];
beforeAll(async () => {
  services = await openServices({
    amqp: process.env['TROVE_TEST_AMQP_URL'] ?? '',
    mysql: process.env['TROVE_TEST_MYSQL_URL'] ?? '',
  });
  const two = (name: 'api' | 'taskmanager' | 'conductor') => [services.start(name), services.start(name)];
  [...apis] = await Promise.all(two('api'));
  await Promise.all([...two('taskmanager'), ...two('conductor')]);
});
afterAll(() => services.dispose());

const api = (index: number): RunningService => {
  const chosen = apis[index % apis.length];
  if (chosen === undefined) throw new Error('no api runs');
  return chosen;
};

test('requests under one key to two apis at one time file one task', async () => {
  const headers = { 'idempotency-key': 'one-for-both' };
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      services.ask(api(index), 'POST', '/instances', { ...newInstance('one'), headers }),
    ),
  );
  expect(new Set(answers.map(({ code }) => code))).toEqual(new Set([200]));
  const [id, ...others] = new Set(answers.map((answer) => instanceOf(answer).id));
  expect(others).toEqual([]);
  expect(new Set(answers.map((answer) => answer.headers.get('x-trove-task-id'))).size).toBe(1);
  const deletes = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      services.ask(api(index), 'DELETE', `/instances/${id}`, { headers: { 'idempotency-key': 'one-delete' } }),
    ),
  );
  expect(new Set(deletes.map(({ code }) => code))).toEqual(new Set([202]));
  const tasks = new Set(deletes.map(({ headers: named }) => named.get('x-trove-task-id')));
  expect(tasks.size).toBe(1);
  expect(await taskEnd(services, [...tasks][0] ?? null)).toBe('done');
});

test('two of each share the work: every create and delete is done once, by both taskmanagers, and the books are exact', async () => {
  let next = 0;
  const owners = new Set<string>();
  const watch = setInterval(() => {
    void services.catalog
      .knex('tasks')
      .whereNotNull('lease_owner')
      .pluck('lease_owner')
      .then(
        (names: string[]) => {
          for (const name of names) owners.add(name);
        },
        () => undefined,
      );
  }, 100);
  const one = async (): Promise<void> => {
    while (next < CREATES) {
      const index = (next += 1);
      const created = await services.ask(api(index), 'POST', '/instances', newInstance(`db${index}`));
      expect(created.code).toBe(200);
      expect(await taskEnd(services, created.headers.get('x-trove-task-id'))).toBe('done');
      const { id } = instanceOf(created);
      const gone = await services.ask(api(index + 1), 'DELETE', `/instances/${id}`);
      expect(await taskEnd(services, gone.headers.get('x-trove-task-id'))).toBe('done');
      // Of a deleted instance the project still sees what was done to it, from any api.
      const { body } = await services.ask(api(index), 'GET', `/instances/${id}/tasks`);
      expect((body as { tasks: unknown[] }).tasks).toMatchObject([
        { kind: 'delete_instance', state: 'done' },
        { kind: 'create_instance', state: 'done' },
      ]);
      expect((await services.ask(api(index), 'GET', `/instances/${id}`)).code).toBe(404);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_A_TIME }, one));
  } finally {
    clearInterval(watch);
  }
  const { knex } = services.catalog;
  expect(owners.size).toBe(2);
  expect(await knex('instances').where({ deleted: 0 }).pluck('id')).toEqual([]);
  expect(await knex('quota_usages').whereRaw('in_use <> 0 OR reserved <> 0').select()).toEqual([]);
  expect(await knex('reservations').where({ status: 'Reserved' }).select()).toEqual([]);
  expect(await knex('resources').whereNot({ state: 'gone' }).select()).toEqual([]);
  expect(await knex('tasks').whereNotIn('state', ['done', 'cancelled']).select('kind', 'state', 'error')).toEqual([]);
});
