import { Secret } from '@trove/common';
import { testBroker } from '@trove/testkit';
import { expect, test } from 'vitest';
import { logger } from '../../test/fixtures.ts';
import { createAmqpBus } from './amqp_bus.ts';

const common = { connectionName: 'test', logger };
const nowhere = 'amqp://u:p@127.0.0.1:9/';
const message = {
  exchange: '',
  routingKey: 'q',
  body: Buffer.from('a'),
  contentType: 'x',
  persistent: false,
  mandatory: false,
};

test('without a broker it starts all the same, and each use says so in time, as retryable', async () => {
  const bus = await createAmqpBus({ ...common, transportUrl: new Secret(nowhere), timeoutMs: 100 });
  expect(bus.state).toBe('connecting');
  await expect(bus.publish(message)).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE', retryable: true });
  await expect(bus.declare({})).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE', retryable: true });
  await bus.close();
  await expect(bus.publish(message)).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE' });
});

test('told to wait for the connection, it rejects where there is none', async () => {
  const options = { ...common, transportUrl: new Secret(nowhere), timeoutMs: 100, waitConnected: true };
  await expect(createAmqpBus(options)).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE' });
});

test('of several hosts it finds the one that answers', async () => {
  const broker = await testBroker();
  const { username, password, host, pathname } = new URL(broker.url);
  const here = `${username}:${password}@${host}`;
  const url = `rabbit://u:p@127.0.0.1:9,${here}${pathname}`;
  const bus = await createAmqpBus({ ...common, transportUrl: new Secret(url), timeoutMs: 10_000, waitConnected: true });
  expect(bus.state).toBe('connected');
  await bus.close();
  await broker.dispose();
});
