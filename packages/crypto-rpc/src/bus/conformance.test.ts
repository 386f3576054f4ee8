import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Broker, BROKERS } from '../../test/each_bus.ts';
import { until } from '../../test/fixtures.ts';
import type { Bus, Delivery, Publication, QueueSpec } from './bus.ts';

const EXCHANGE = 'x';
const text = (deliveries: readonly Delivery[]): string[] => deliveries.map((delivery) => delivery.body.toString());
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(BROKERS)('a bus %s', (_name, makeBroker) => {
  let broker: Broker;
  let bus: Bus;

  beforeEach(async () => {
    broker = await makeBroker();
    bus = await broker.open();
  });

  afterEach(() => broker.dispose());

  const declare = async (queue: Partial<QueueSpec> = {}, routingKey = 'k', type: 'direct' | 'topic' | 'fanout' = 'direct') => {
    const name = queue.name ?? `q.${randomUUID()}`;
    await bus.declare({
      exchanges: [{ name: EXCHANGE, type, durable: true }],
      queues: [{ durable: true, ...queue, name }],
      bindings: [{ exchange: EXCHANGE, queue: name, routingKey }],
    });
    return name;
  };

  const publish = (body: string | Buffer, more: Partial<Publication> = {}, from = bus): Promise<void> =>
    from.publish({
      exchange: EXCHANGE,
      routingKey: 'k',
      body: Buffer.from(body),
      contentType: 'text/plain',
      persistent: true,
      mandatory: true,
      ...more,
    });

  /** Consumes into a list, settling each as told. */
  const collect = async (queue: string, settle: (delivery: Delivery) => void = (delivery) => delivery.ack(), from = bus) => {
    const seen: Delivery[] = [];
    const subscription = await from.consume(queue, { prefetch: 10 }, async (delivery) => {
      seen.push(delivery);
      settle(delivery);
    });
    return { seen, subscription };
  };

  test('delivers bytes as they were when they were published, with their properties', async () => {
    const queue = await declare();
    const body = Buffer.from([0, 255, 1, 2]);
    const sent = publish(body, { messageId: 'm1', headers: { a: 1 } });
    await sent;
    body.fill(9);
    const { seen } = await collect(queue);
    await until(() => seen.length === 1);
    expect(seen[0]).toMatchObject({ exchange: EXCHANGE, routingKey: 'k', messageId: 'm1', contentType: 'text/plain', redelivered: false });
    expect(seen[0]?.headers).toEqual({ a: 1 });
  });

  test('hands no reader the bytes of another', async () => {
    const one = await declare({}, 'k', 'fanout');
    const other = await declare({}, 'k', 'fanout');
    const { seen: first } = await collect(one, (delivery) => {
      delivery.body.fill(0);
      delivery.ack();
    });
    await publish('abc');
    await until(() => first.length === 1);
    const { seen: second } = await collect(other);
    await until(() => second.length === 1);
    expect(text(second)).toEqual(['abc']);
  });

  test('keeps the order of one queue', async () => {
    const queue = await declare();
    const bodies = Array.from({ length: 50 }, (_, i) => String(i));
    await Promise.all(bodies.map((body) => publish(body)));
    const { seen } = await collect(queue);
    await until(() => seen.length === 50);
    expect(text(seen)).toEqual(bodies);
  });

  test('routes by topic: a star is one word, a hash any number', async () => {
    const star = await declare({}, 'hb.*.x', 'topic');
    const hash = await declare({}, 'hb.#', 'topic');
    for (const routingKey of ['hb.1.x', 'hb.1', 'hb']) await publish(routingKey, { routingKey });
    const [one, other] = [await collect(star), await collect(hash)];
    await until(() => other.seen.length === 3);
    expect(text(one.seen)).toEqual(['hb.1.x']);
    expect(text(other.seen)).toEqual(['hb.1.x', 'hb.1', 'hb']);
  });

  test('reaches a queue by its name through the default exchange', async () => {
    const queue = await declare();
    await publish('direct', { exchange: '', routingKey: queue });
    const { seen } = await collect(queue);
    await until(() => seen.length === 1);
  });

  test('refuses a mandatory message that no queue takes, lets another one vanish', async () => {
    const queue = await declare();
    const unroutable = publish('lost', { routingKey: 'nobody' });
    await Promise.all([
      expect(unroutable).rejects.toMatchObject({ code: 'RPC_REFUSED' }),
      publish('a'),
      publish('lost', { routingKey: 'nobody', mandatory: false }),
      publish('b'),
    ]);
    const { seen } = await collect(queue);
    await until(() => seen.length === 2);
  });

  test('refuses a message to an exchange that is not there, and carries the others on', async () => {
    const queue = await declare();
    const outcomes = await Promise.allSettled([publish('a'), publish('x', { exchange: 'none' }), publish('b')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { code: 'RPC_REFUSED' } });
    const { seen } = await collect(queue);
    await until(() => new Set(text(seen)).size === 2);
  });

  test('refuses what a full queue does not take, as retryable', async () => {
    await declare({ arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' } });
    await publish('a');
    await expect(publish('b')).rejects.toMatchObject({ code: 'RPC_REFUSED', retryable: true });
  });

  test('drops the oldest of a full queue that is told so', async () => {
    const queue = await declare({ arguments: { 'x-max-length': 2, 'x-overflow': 'drop-head' } });
    for (const body of ['a', 'b', 'c']) await publish(body);
    const { seen } = await collect(queue);
    await until(() => seen.length === 2);
    expect(text(seen)).toEqual(['b', 'c']);
  });

  test('drops a message at its expiry, its own or that of its queue', async () => {
    const own = await declare();
    await publish('short', { expirationMs: 50 });
    await publish('long', { expirationMs: 60_000 });
    const queues = await declare({ arguments: { 'x-message-ttl': 50 } }, 'k2');
    await publish('short', { routingKey: 'k2' });
    await pause(120);
    const [one, other] = [await collect(own), await collect(queues)];
    await until(() => one.seen.length === 1);
    await pause(50);
    expect(text(one.seen)).toEqual(['long']);
    expect(other.seen).toEqual([]);
  });

  test('hands out no more at a time than was asked for', async () => {
    const queue = await declare();
    const held: Delivery[] = [];
    await bus.consume(queue, { prefetch: 2 }, async (delivery) => void held.push(delivery));
    for (const body of ['a', 'b', 'c']) await publish(body);
    await until(() => held.length === 2);
    await pause(50);
    expect(held).toHaveLength(2);
    held[0]?.ack();
    await until(() => held.length === 3);
  });

  test('delivers again what was given back, marked so, and settles each once', async () => {
    const queue = await declare();
    const { seen } = await collect(queue, (delivery) => {
      if (delivery.redelivered) delivery.ack();
      else delivery.requeue();
      delivery.ack();
      delivery.reject();
    });
    await publish('a');
    await until(() => seen.length === 2);
    await pause(50);
    expect(seen.map(({ redelivered }) => redelivered)).toEqual([false, true]);
  });

  test('sends what was rejected to the dead letters, and nowhere where there are none', async () => {
    await bus.declare({
      exchanges: [{ name: 'dlx', type: 'direct', durable: true }],
      queues: [{ name: 'dead', durable: true }],
      bindings: [{ exchange: 'dlx', queue: 'dead', routingKey: 'dead' }],
    });
    const queue = await declare({ arguments: { 'x-dead-letter-exchange': 'dlx', 'x-dead-letter-routing-key': 'dead' } });
    const { seen: dead } = await collect('dead');
    await collect(queue, (delivery) => delivery.reject());
    await publish('bad');
    await until(() => dead.length === 1);
    expect(text(dead)).toEqual(['bad']);
  });

  test('a handler that throws rejects its delivery', async () => {
    const queue = await declare();
    let calls = 0;
    await bus.consume(queue, { prefetch: 1 }, async (delivery) => {
      calls += 1;
      if (calls === 1) throw new Error('broken');
      delivery.ack();
    });
    await publish('a');
    await publish('b');
    await until(() => calls === 2);
  });

  test('gives a message up after the delivery limit of its quorum queue', async () => {
    await bus.declare({
      exchanges: [{ name: 'dlx', type: 'direct', durable: true }],
      queues: [{ name: 'dead', durable: true }],
      bindings: [{ exchange: 'dlx', queue: 'dead', routingKey: 'dead' }],
    });
    const queue = await declare({
      arguments: {
        'x-queue-type': 'quorum',
        'x-delivery-limit': 2,
        'x-dead-letter-exchange': 'dlx',
        'x-dead-letter-routing-key': 'dead',
      },
    });
    const { seen: dead } = await collect('dead');
    const { seen } = await collect(queue, (delivery) => delivery.requeue());
    await publish('poison');
    await until(() => dead.length === 1);
    expect(seen).toHaveLength(3);
  });

  test('lets one consumer have a queue to itself, and the next one in when it leaves', async () => {
    const queue = await declare();
    const other = await broker.open();
    const first: Delivery[] = [];
    const second: Delivery[] = [];
    const take = (into: Delivery[]) => async (delivery: Delivery) => {
      into.push(delivery);
      delivery.ack();
    };
    const holder = await bus.consume(queue, { prefetch: 1, exclusive: true }, take(first));
    await other.consume(queue, { prefetch: 1, exclusive: true }, take(second));
    await publish('a');
    await until(() => first.length === 1);
    await holder.cancel();
    await publish('b');
    await until(() => second.length === 1);
  });

  test('keeps an exclusive queue to its connection', async () => {
    const name = `own.${randomUUID()}`;
    await bus.declare({ queues: [{ name, durable: false, exclusive: true }] });
    const other = await broker.open();
    await expect(other.declare({ queues: [{ name, durable: false, exclusive: true }] })).rejects.toThrow();
  });

  test('refuses to declare what is there in another form', async () => {
    const queue = await declare({ arguments: { 'x-max-length': 1 } });
    await expect(bus.declare({ queues: [{ name: queue, durable: true }] })).rejects.toThrow();
    await expect(bus.declare({ exchanges: [{ name: EXCHANGE, type: 'fanout', durable: true }] })).rejects.toThrow();
    await publish('still works');
  });

  test('takes up its consumers again after a cut, and what was not acknowledged comes again', async () => {
    const queue = await declare();
    const seen: Delivery[] = [];
    await bus.consume(queue, { prefetch: 10 }, async (delivery) => {
      seen.push(delivery);
      if (seen.length > 1) delivery.ack();
    });
    await publish('a');
    await until(() => seen.length === 1);
    await broker.cut();
    await until(() => seen.length === 2);
    expect(seen[1]?.redelivered).toBe(true);
    await publish('b');
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
    await collect(name);
    await broker.cut();
    await until(() => connections === 2);
    const lost = publish('x', { exchange: '', routingKey: name });
    await expect(lost).rejects.toMatchObject({ code: 'RPC_REFUSED' });
    stop();
  });

  test('publishes over a cut without losing what it promised', async () => {
    const queue = await declare();
    const sent = Array.from({ length: 30 }, (_, i) => publish(String(i)));
    await broker.cut();
    sent.push(...Array.from({ length: 30 }, (_, i) => publish(String(30 + i))));
    await Promise.all(sent);
    const { seen } = await collect(queue);
    await until(() => new Set(text(seen)).size === 60);
  });

  test('goes on after its queue was deleted under it, making it again as it was', async () => {
    const queue = await declare();
    const { seen } = await collect(queue);
    const other = await broker.open();
    await other.deleteQueue(queue);
    await expect.poll(() => publish('a').then(() => 'taken', () => 'refused'), { timeout: 5000 }).toBe('taken');
    await until(() => seen.length >= 1);
  });

  test('deletes a queue that is not there without an error, and forgets one that is', async () => {
    const queue = await declare();
    await bus.deleteQueue(queue);
    await bus.deleteQueue(queue);
    await broker.cut();
    await expect.poll(() => publish('a').catch((error: { code: string }) => error.code)).toBe('RPC_REFUSED');
  });

  test('waits for running handlers when it closes, and takes no more', async () => {
    const queue = await declare();
    const other = await broker.open();
    let ended = 0;
    await bus.consume(queue, { prefetch: 1 }, async (delivery) => {
      await pause(100);
      ended += 1;
      delivery.ack();
    });
    await publish('a');
    await publish('b');
    await pause(50);
    await bus.close();
    expect(ended).toBe(1);
    expect(bus.state).toBe('closed');
    await expect(publish('c')).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE' });
    const { seen } = await collect(queue, (delivery) => delivery.ack(), other);
    await until(() => seen.length === 1);
    expect(text(seen)).toEqual(['b']);
  });

  test('a cancelled subscription leaves the queue to others', async () => {
    const queue = await declare();
    const { seen, subscription } = await collect(queue);
    await subscription.cancel();
    await publish('a');
    const { seen: later } = await collect(queue);
    await until(() => later.length === 1);
    expect(seen).toEqual([]);
  });
});
