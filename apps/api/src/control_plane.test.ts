import { Secret, silentLogger, TroveError } from '@trove/common';
import type { Handlers, TaskmanagerApi } from '@trove/contracts';
import { type Caller, createMemoryBroker, createTaskmanagerClient, createTaskmanagerServer } from '@trove/crypto-rpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createInstance, instanceIn, makeActive, newInstance } from './testing/instances.ts';
import { PROJECT, type TestApi, testApi } from './testing/test_api.ts';

const controlKeys = { ring: [new Secret('the-key-of-this-control-plane')] };
const broker = createMemoryBroker();
const onTheBus: string[] = [];
const rung: { taskId: string; caller: Caller }[] = [];
const handlers: Handlers<TaskmanagerApi, Caller> = {
  run_task: async ({ task_id }, caller) => {
    rung.push({ taskId: task_id, caller });
    return null;
  },
  list_databases: async () => [[{ _name: 'foo2' }], null],
  create_database: async () => null,
  delete_database: async ({ database }) => {
    throw new TroveError('DATABASE_NOT_FOUND', `Database ${database._name} cannot be found.`);
  },
  list_users: async () => {
    throw new TroveError('GUEST_TIMEOUT', 'Timeout trying to connect to the Guest Agent.');
  },
  create_user: async () => null,
};
const taskmanagerBus = broker.bus();
const apiBus = broker.bus();
const wire = { controlKeys, controlExchange: 'trove', logger: silentLogger };
const server = createTaskmanagerServer({ ...wire, bus: taskmanagerBus, host: 'here', handlers });
const taskmanager = createTaskmanagerClient({ ...wire, bus: apiBus });
let api: TestApi;
let id: string;

beforeAll(async () => {
  broker.tap((message) => onTheBus.push(message.body.toString('latin1')));
  await server.start();
  api = await testApi({ deps: { taskmanager, bus: apiBus, controlRing: controlKeys.ring } });
  id = await createInstance(api);
  await makeActive(api, id);
});
afterAll(async () => {
  await api.dispose();
  await taskmanager.close();
  await server.close();
  await apiBus.close();
  await taskmanagerBus.close();
});

test('the doorbell of a create reaches a taskmanager, with the task’s id and who asked', async () => {
  const created = instanceIn(await api.send('POST', '/instances', { body: newInstance({ name: 'rung-for' }) }));
  const task = await api.catalog.knex('tasks').where({ instance_id: created['id'] }).first('id');
  await expect.poll(() => rung.map(({ taskId }) => taskId)).toContain(task.id);
  expect(rung.at(-1)?.caller.context).toMatchObject({ project_id: PROJECT, user_id: 'id-of-alice' });
});

test('a question goes through to the guest and its answer comes back, and the bus sees neither in clear', async () => {
  const list = await api.send('GET', `/instances/${id}/databases`);
  expect([list.code, list.body]).toEqual([200, { databases: [{ name: 'foo2' }] }]);
  const body = { users: [{ name: 'visible_user', password: 'visible_password' }] };
  expect((await api.send('POST', `/instances/${id}/users`, { body })).code).toBe(202);
  expect(onTheBus.length).toBeGreaterThan(3);
  for (const word of ['foo2', 'list_databases', 'create_user', 'visible_user', 'visible_password', 'run_task', id]) {
    expect(onTheBus.some((text) => text.includes(word))).toBe(false);
  }
});

test('an error of the guest keeps its code and text over the bus', async () => {
  const gone = await api.send('DELETE', `/instances/${id}/databases/foo3`);
  expect([gone.code, gone.body]).toEqual([
    404,
    { itemNotFound: { code: 404, message: 'Database foo3 cannot be found.' } },
  ]);
  const silent = await api.send('GET', `/instances/${id}/users`);
  expect([silent.code, silent.body]).toEqual([
    400,
    { badRequest: { code: 400, message: 'Timeout trying to connect to the Guest Agent.' } },
  ]);
});
