import { Secret, TroveError } from '@trove/common';
import type { Handlers, TaskmanagerApi } from '@trove/contracts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BROKERS, type Broker } from '../../test/each_bus.ts';
import { CONTROL_EXCHANGE, logger, refusals, until } from '../../test/fixtures.ts';
import type { Bus } from '../bus/bus.ts';
import { createTaskmanagerClient } from './taskmanager_client.ts';
import { createTaskmanagerServer } from './taskmanager_server.ts';
import { CALL_QUEUE, DOORBELL_QUEUE, REPLY_EXCHANGE, TASKS_EXCHANGE } from './topology.ts';
import type { Caller, RpcServer, TaskmanagerClient } from './types.ts';

const INSTANCE = '792fa220-2a40-4831-85af-cfb0ded8033c';
const TASK = '0a8d6d34-0000-4000-8000-00000000beef';
const PAGE = { instance_id: INSTANCE, limit: 20, marker: null, include_marker: false };
const DEADLINE = { deadlineMs: 5000 };
const ring = (...keys: string[]) => ({ ring: keys.map((key) => new Secret(key)) });

describe.each(BROKERS)('api and taskmanager %s', (_name, makeBroker) => {
  let broker: Broker;
  let bus: Bus;
  const open: { close(): Promise<void> }[] = [];
  const rung: string[] = [];
  const callers: Caller[] = [];

  beforeEach(async () => {
    broker = await makeBroker();
    bus = await broker.open();
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map((part) => part.close()));
    rung.splice(0);
    callers.splice(0);
    await broker.dispose();
  });

  const handlers: Handlers<TaskmanagerApi, Caller> = {
    run_task: async ({ task_id }) => {
      rung.push(task_id);
      return null;
    },
    list_databases: async (_args, caller) => {
      callers.push(caller);
      return [[{ _name: 'foo20' }], null];
    },
    create_database: async () => {
      throw new TroveError('GUEST_TIMEOUT', 'Timeout trying to connect to the Guest Agent.', { retryable: true });
    },
    delete_database: async () => null,
    list_users: async () => {
      throw new Error('SELECT password FROM …');
    },
    create_user: async () => null,
  };

  const client = (keys: string[], onRefused?: (reason: string) => void): TaskmanagerClient => {
    const made = createTaskmanagerClient({
      bus,
      controlKeys: ring(...keys),
      controlExchange: CONTROL_EXCHANGE,
      logger,
      ...(onRefused === undefined ? {} : { onRefused }),
    });
    open.push(made);
    return made;
  };

  const server = async (keys: string[], onRefused?: (reason: string) => void): Promise<RpcServer> => {
    const made = createTaskmanagerServer({
      bus,
      controlKeys: ring(...keys),
      controlExchange: CONTROL_EXCHANGE,
      host: 'tm1',
      handlers,
      logger,
      ...(onRefused === undefined ? {} : { onRefused }),
    });
    open.push(made);
    await made.start();
    return made;
  };

  test.each([
    ['sealed', ['k1']],
    ['in clear', []],
  ])('%s: doorbells ring, calls are answered, errors come back as themselves', async (_mode, keys) => {
    await server(keys);
    const api = client(keys);
    await api.cast('run_task', { task_id: TASK });
    const context = { request_id: 'req-1', project_id: 'p', user_id: 'u' };
    expect(await api.call('list_databases', PAGE, { ...DEADLINE, context })).toEqual([[{ _name: 'foo20' }], null]);
    expect(callers[0]).toMatchObject({ role: 'api', context, legacy: keys.length === 0 });
    const create = api.call('create_database', { instance_id: INSTANCE, databases: [{ _name: 'a' }] }, DEADLINE);
    await expect(create).rejects.toMatchObject({ code: 'GUEST_TIMEOUT', retryable: true });
    await expect(api.call('list_users', PAGE, DEADLINE)).rejects.toMatchObject({
      code: 'INTERNAL',
      message: 'An internal error occurred.',
    });
    await until(() => rung.length === 1);
    expect(rung).toEqual([TASK]);
  });

  test('a doorbell rings on after the first taskmanager starts, and a call without one says so at once or in time', async () => {
    const api = client(['k1']);
    await api.cast('run_task', { task_id: TASK });
    await expect(api.call('list_databases', PAGE, { deadlineMs: 200 })).rejects.toMatchObject({ code: 'RPC_TIMEOUT' });
    await server(['k1']);
    await until(() => rung.length === 1);
    await expect(client([]).call('list_databases', PAGE, DEADLINE)).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE' });
  });

  test('any key of the ring opens, and the answer comes under the key of its request', async () => {
    await server(['new', 'old']);
    expect(await client(['old']).call('list_databases', PAGE, DEADLINE)).toEqual([[{ _name: 'foo20' }], null]);
    expect(await client(['new', 'old']).call('list_databases', PAGE, DEADLINE)).toEqual([[{ _name: 'foo20' }], null]);
  });

  test('under a key that is not in the ring nothing is heard', async () => {
    const { reasons, onRefused } = refusals();
    await server(['k1'], onRefused as (reason: string) => void);
    await expect(client(['k2']).call('list_databases', PAGE, { deadlineMs: 300 })).rejects.toMatchObject({
      code: 'RPC_TIMEOUT',
    });
    expect(reasons).toEqual(['key_version']);
  });

  test('a doorbell whose handler fails goes to the dead letters, a refused message nowhere', async () => {
    const failing = createTaskmanagerServer({
      bus,
      controlKeys: ring('k1'),
      controlExchange: CONTROL_EXCHANGE,
      host: 'tm1',
      handlers: { ...handlers, run_task: () => Promise.reject(new Error('the catalog is gone')) },
      logger,
    });
    open.push(failing);
    await failing.start();
    const dead: Buffer[] = [];
    await bus.consume('trove.dead', { prefetch: 1 }, async (delivery) => {
      dead.push(delivery.body);
      delivery.ack();
    });
    for (const routingKey of [DOORBELL_QUEUE, CALL_QUEUE]) {
      const body = Buffer.from('junk');
      await bus.publish({
        exchange: TASKS_EXCHANGE,
        routingKey,
        body,
        contentType: 'x',
        persistent: true,
        mandatory: true,
      });
    }
    await client(['k1']).cast('run_task', { task_id: TASK });
    await until(() => dead.length === 1);
    expect(dead[0]?.subarray(0, 4).toString()).toBe('TRV2');
  });

  test('nothing that is asked or answered can be read on the bus', async () => {
    const seen: Buffer[] = [];
    const tap = await broker.open();
    await server(['k1']);
    await tap.declare({
      queues: [{ name: 'tap', durable: false, exclusive: true }],
      bindings: [
        { exchange: TASKS_EXCHANGE, queue: 'tap', routingKey: CALL_QUEUE },
        { exchange: REPLY_EXCHANGE, queue: 'tap', routingKey: '#' },
      ],
    });
    await tap.consume('tap', { prefetch: 10 }, async (delivery) => {
      delivery.ack();
      seen.push(delivery.body);
    });
    await client(['k1']).call('list_databases', PAGE, DEADLINE);
    await until(() => seen.length === 2);
    const text = Buffer.concat(seen).toString('latin1');
    for (const word of ['list_databases', 'foo20', INSTANCE, 'limit']) expect(text).not.toContain(word);
  });
});
