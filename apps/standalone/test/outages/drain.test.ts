import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  eventually,
  instanceOf,
  newInstance,
  openServices,
  type Services,
  someoneWaitsForARow,
  taskEnd,
} from './services.ts';

// Each service is a process of its own, which takes seconds on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let services: Services;
beforeEach(async () => {
  services = await openServices({
    amqp: process.env['TROVE_TEST_AMQP_URL'] ?? '',
    mysql: process.env['TROVE_TEST_MYSQL_URL'] ?? '',
  });
});
afterEach(() => services.dispose());

/** A request whose first half is there before the service is told to stop, and whose second half comes after. */
async function halfRequest(url: string): Promise<{ finish(): Promise<string> }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(`GET / HTTP/1.1\r\nHost: ${hostname}\r\n`);
  return {
    async finish() {
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.write('\r\n');
      await once(socket, 'end');
      socket.destroy();
      return text;
    },
  };
}

test('an api answers what it has, refuses more with 503, takes no connection, and ends with 0', async () => {
  const api = await services.start('api');
  const created = instanceOf(await services.ask(api, 'POST', '/instances', newInstance('db1')));
  // A lock on the row that a delete needs holds that request in the api for as long as we like.
  const lock = await services.catalog.knex.transaction();
  await lock('instances').where({ id: created.id }).forUpdate().first('id');
  const held = services.ask(api, 'DELETE', `/instances/${created.id}`);
  await someoneWaitsForARow(services);
  const half = await halfRequest(api.url);
  const ended = api.program.stop();
  await eventually('it says that it stops', async () => {
    const { code, text } = await api.health();
    return code === 503 && text.includes('stopping') ? true : undefined;
  });
  await expect(fetch(api.url)).rejects.toThrow('fetch failed');
  const refused = await half.finish();
  expect(refused).toMatch(/^HTTP\/1.1 503 /);
  expect(refused).toMatch(/\r\nretry-after: 5\r\n/);
  expect(refused).toMatch(/\r\nconnection: close\r\n/);
  await lock.commit();
  expect((await held).code).toBe(202);
  expect((await held).headers.get('connection')).toBe('close');
  expect(await ended).toBe(0);
  const task = await services.catalog.knex('tasks').where({ instance_id: created.id, kind: 'delete_instance' }).first();
  expect(task).toBeDefined();
});

test('a second signal ends a service at once, whatever it has under way', async () => {
  const api = await services.start('api');
  const created = instanceOf(await services.ask(api, 'POST', '/instances', newInstance('db1')));
  const lock = await services.catalog.knex.transaction();
  await lock('instances').where({ id: created.id }).forUpdate().first('id');
  const cut = services.ask(api, 'DELETE', `/instances/${created.id}`).catch((error: unknown) => error);
  await someoneWaitsForARow(services);
  void api.program.stop();
  await eventually('it stops', async () => ((await api.health()).text.includes('stopping') ? true : undefined));
  expect(await api.program.stop()).toBe(1);
  expect(api.program.output()).toContain('second SIGTERM');
  expect(await cut).toBeInstanceOf(TypeError);
  await lock.rollback();
});

test('a taskmanager that is stopped hands its work over at once, and it ends on another', async () => {
  const [api, first] = await Promise.all([services.start('api'), services.start('taskmanager')]);
  await services.start('conductor');
  const { headers } = await services.ask(api, 'POST', '/instances', newInstance('db1'));
  const taskId = headers.get('x-trove-task-id');
  await eventually('it is worked on', async () => {
    const row = await services.catalog.knex('tasks').where({ id: taskId }).first('state', 'step');
    return row?.step === null || row?.step === undefined ? undefined : true;
  });
  const ended = first.program.stop();
  expect(await ended).toBe(0);
  expect(await services.catalog.knex('tasks').where({ id: taskId }).first('lease_owner', 'lease_until')).toEqual({
    lease_owner: null,
    lease_until: null,
  });
  await services.start('taskmanager');
  expect(await taskEnd(services, taskId)).toBe('done');
});

test('a conductor writes the reports that it has taken before it ends, and another goes on', async () => {
  const [api] = await Promise.all([services.start('api'), services.start('taskmanager')]);
  const first = await services.start('conductor');
  const { headers, ...answer } = await services.ask(api, 'POST', '/instances', newInstance('db1'));
  expect(await taskEnd(services, headers.get('x-trove-task-id'))).toBe('done');
  const { id } = instanceOf({ headers, ...answer });
  const lock = await services.catalog.knex.transaction();
  await lock('instance_reports').where({ instance_id: id }).forUpdate().first('instance_id');
  const before = await services.catalog.knex('instance_reports').where({ instance_id: id }).first('sequence');
  await someoneWaitsForARow(services);
  const ended = first.program.stop();
  await eventually('it stops', async () => ((await first.health()).text.includes('stopping') ? true : undefined));
  await lock.commit();
  expect(await ended).toBe(0);
  const after = await services.catalog.knex('instance_reports').where({ instance_id: id }).first('sequence');
  expect(BigInt(after.sequence)).toBeGreaterThan(BigInt(before.sequence));
  await services.start('conductor');
  await eventually('reports are written again', async () => {
    const later = await services.catalog.knex('instance_reports').where({ instance_id: id }).first('sequence');
    return BigInt(later.sequence) > BigInt(after.sequence) ? true : undefined;
  });
});
