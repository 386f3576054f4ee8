import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { collect, deadLetters, declare, pause, publish, text } from '../../test/bus_harness.ts';
import { BROKERS, type Broker } from '../../test/each_bus.ts';
import { until } from '../../test/fixtures.ts';
import type { Bus, Delivery } from './bus.ts';

describe.each(BROKERS)('a bus delivers %s', (_name, makeBroker) => {
  let broker: Broker;
  let bus: Bus;

  beforeEach(async () => {
    broker = await makeBroker();
    bus = await broker.open();
  });

  afterEach(() => broker.dispose());

  test('hands out no more at a time than was asked for', async () => {
    const queue = await declare(bus);
    const held: Delivery[] = [];
    await bus.consume(queue, { prefetch: 2 }, async (delivery) => void held.push(delivery));
    for (const body of ['a', 'b', 'c']) await publish(bus, body);
    await until(() => held.length === 2);
    await pause(50);
    expect(held).toHaveLength(2);
    held[0]?.ack();
    await until(() => held.length === 3);
  });

  test('hands out without waiting, and forgets, where nothing is to be acknowledged', async () => {
    const queue = await declare(bus);
    const held: Delivery[] = [];
    const consumed = { prefetch: 1, noAck: true };
    const subscription = await bus.consume(queue, consumed, async (delivery) => {
      held.push(delivery);
      if (delivery.body.toString() === 'b') throw new Error('broken');
    });
    for (const body of ['a', 'b', 'c']) await publish(bus, body);
    await until(() => held.length === 3);
    for (const delivery of held) delivery.requeue();
    await subscription.cancel();
    const { seen } = await collect(bus, queue);
    await publish(bus, 'd');
    await until(() => seen.length === 1);
    expect(text(seen)).toEqual(['d']);
  });

  test('what needs no confirmation arrives, and is refused unheard without harm to what follows', async () => {
    const queue = await declare(bus);
    const { seen } = await collect(bus, queue);
    const unconfirmed = { confirm: false, mandatory: false };
    await publish(bus, 'a', unconfirmed);
    await until(() => seen.length === 1);
    await publish(bus, 'lost', { ...unconfirmed, exchange: 'not-there' });
    await publish(bus, 'lost', { ...unconfirmed, routingKey: 'nobody' });
    await pause(50);
    await publish(bus, 'b', unconfirmed);
    await publish(bus, 'c');
    await until(() => seen.length === 3);
    expect(text(seen).toSorted()).toEqual(['a', 'b', 'c']);
  });

  test('delivers again what was given back, marked so, and settles each once', async () => {
    const queue = await declare(bus);
    const { seen } = await collect(bus, queue, (delivery) => {
      if (delivery.redelivered) delivery.ack();
      else delivery.requeue();
      delivery.ack();
      delivery.reject();
    });
    await publish(bus, 'a');
    await until(() => seen.length === 2);
    await pause(50);
    expect(seen.map(({ redelivered }) => redelivered)).toEqual([false, true]);
  });

  test('sends what was rejected to the dead letters, and nowhere where there are none', async () => {
    const letters = await deadLetters(bus);
    const queue = await declare(bus, { arguments: letters });
    const { seen: dead } = await collect(bus, 'dead');
    await collect(bus, queue, (delivery) => delivery.reject());
    await publish(bus, 'bad');
    await until(() => dead.length === 1);
    expect(text(dead)).toEqual(['bad']);
  });

  test('a handler that throws rejects its delivery', async () => {
    const queue = await declare(bus);
    let calls = 0;
    await bus.consume(queue, { prefetch: 1 }, async (delivery) => {
      calls += 1;
      if (calls === 1) throw new Error('broken');
      delivery.ack();
    });
    await publish(bus, 'a');
    await publish(bus, 'b');
    await until(() => calls === 2);
  });

  test('gives a message up after the delivery limit of its quorum queue', async () => {
    const letters = await deadLetters(bus);
    const queue = await declare(bus, {
      arguments: {
        'x-queue-type': 'quorum',
        'x-delivery-limit': 2,
        ...letters,
      },
    });
    const { seen: dead } = await collect(bus, 'dead');
    const { seen } = await collect(bus, queue, (delivery) => delivery.requeue());
    await publish(bus, 'poison');
    await until(() => dead.length === 1);
    expect(seen).toHaveLength(3);
  });
});
