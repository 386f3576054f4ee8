import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { collect, declare, EXCHANGE, pause, publish, text } from '../../test/bus_harness.ts';
import { BROKERS, type Broker } from '../../test/each_bus.ts';
import { until } from '../../test/fixtures.ts';
import type { Bus, Delivery } from './bus.ts';

describe.each(BROKERS)('a bus recovers %s', (_name, makeBroker) => {
  let broker: Broker;
  let bus: Bus;

  beforeEach(async () => {
    broker = await makeBroker();
    bus = await broker.open();
  });

  afterEach(() => broker.dispose());

  test('lets one consumer have a queue to itself, and the next one in when it leaves', async () => {
    const queue = await declare(bus);
    const other = await broker.open();
    const first: Delivery[] = [];
    const second: Delivery[] = [];
    const take = (into: Delivery[]) => async (delivery: Delivery) => {
      into.push(delivery);
      delivery.ack();
    };
    const holder = await bus.consume(queue, { prefetch: 1, exclusive: true }, take(first));
    await other.consume(queue, { prefetch: 1, exclusive: true }, take(second));
    await publish(bus, 'a');
    await until(() => first.length === 1);
    await holder.cancel();
    await publish(bus, 'b');
    await until(() => second.length === 1);
  });

  test('keeps an exclusive queue to its connection', async () => {
    const name = `own.${randomUUID()}`;
    await bus.declare({ queues: [{ name, durable: false, exclusive: true }] });
    const other = await broker.open();
    await expect(other.declare({ queues: [{ name, durable: false, exclusive: true }] })).rejects.toThrow();
  });

  test('refuses to declare what is there in another form', async () => {
    const queue = await declare(bus, { arguments: { 'x-max-length': 1 } });
    await expect(bus.declare({ queues: [{ name: queue, durable: true }] })).rejects.toThrow();
    await expect(bus.declare({ exchanges: [{ name: EXCHANGE, type: 'fanout', durable: true }] })).rejects.toThrow();
    await publish(bus, 'still works');
  });

  test('takes up its consumers again after a cut, and what was not acknowledged comes again', async () => {
    const queue = await declare(bus);
    const seen: Delivery[] = [];
    await bus.consume(queue, { prefetch: 10 }, async (delivery) => {
      seen.push(delivery);
      if (seen.length > 1) delivery.ack();
    });
    await publish(bus, 'a');
    await until(() => seen.length === 1);
    await broker.cut();
    await until(() => seen.length === 2);
    expect(seen[1]?.redelivered).toBe(true);
    await publish(bus, 'b');
    await until(() => seen.length === 3);
    seen[0]?.ack();
  });

  test('tells of each connection, and exclusive queues end with theirs', async () => {
    let connections = 0;
    const stop = bus.onConnected(() => {
      connections += 1;
    });
    await until(() => connections === 1);
    const name = `own.${randomUUID()}`;
    await bus.declare({ queues: [{ name, durable: false, exclusive: true }] });
    await collect(bus, name);
    await broker.cut();
    await until(() => connections === 2);
    const lost = publish(bus, 'x', { exchange: '', routingKey: name });
    await expect(lost).rejects.toMatchObject({ code: 'RPC_REFUSED' });
    stop();
  });

  test('publishes over a cut without losing what it promised', async () => {
    const queue = await declare(bus);
    const sent = Array.from({ length: 30 }, (_, i) => publish(bus, String(i)));
    await broker.cut();
    sent.push(...Array.from({ length: 30 }, (_, i) => publish(bus, String(30 + i))));
    await Promise.all(sent);
    const { seen } = await collect(bus, queue);
    await until(() => new Set(text(seen)).size === 60);
  });

  test('goes on after its queue was deleted under it, making it again as it was', async () => {
    const queue = await declare(bus);
    const { seen } = await collect(bus, queue);
    const other = await broker.open();
    await other.deleteQueue(queue);
    await expect
      .poll(
        () =>
          publish(bus, 'a').then(
            () => 'taken',
            () => 'refused',
          ),
        { timeout: 5000 },
      )
      .toBe('taken');
    await until(() => seen.length >= 1);
  });

  test('deletes a queue that is not there without an error, and forgets one that is', async () => {
    const queue = await declare(bus);
    await bus.deleteQueue(queue);
    await bus.deleteQueue(queue);
    await broker.cut();
    await expect.poll(() => publish(bus, 'a').catch((error: { code: string }) => error.code)).toBe('RPC_REFUSED');
  });

  test('waits for running handlers when it closes, and takes no more', async () => {
    const queue = await declare(bus);
    const other = await broker.open();
    let ended = 0;
    await bus.consume(queue, { prefetch: 1 }, async (delivery) => {
      await pause(100);
      ended += 1;
      delivery.ack();
    });
    await publish(bus, 'a');
    await publish(bus, 'b');
    await pause(50);
    await bus.close();
    expect(ended).toBe(1);
    expect(bus.state).toBe('closed');
    await expect(publish(bus, 'c')).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE' });
    const { seen } = await collect(other, queue);
    await until(() => seen.length === 1);
    expect(text(seen)).toEqual(['b']);
  });

  test('a cancelled subscription leaves the queue to others', async () => {
    const queue = await declare(bus);
    const { seen, subscription } = await collect(bus, queue);
    await subscription.cancel();
    await publish(bus, 'a');
    const { seen: later } = await collect(bus, queue);
    await until(() => later.length === 1);
    expect(seen).toEqual([]);
  });
});
