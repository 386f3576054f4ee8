import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { collect, declare, EXCHANGE, pause, publish, text } from '../../test/bus_harness.ts';
import { BROKERS, type Broker } from '../../test/each_bus.ts';
import { until } from '../../test/fixtures.ts';
import type { Bus } from './bus.ts';

describe.each(BROKERS)('a bus routes %s', (_name, makeBroker) => {
  let broker: Broker;
  let bus: Bus;

  beforeEach(async () => {
    broker = await makeBroker();
    bus = await broker.open();
  });

  afterEach(() => broker.dispose());

  test('delivers bytes as they were when they were published, with their properties', async () => {
    const queue = await declare(bus);
    const body = Buffer.from([0, 255, 1, 2]);
    const sent = publish(bus, body, { messageId: 'm1', headers: { a: 1 } });
    await sent;
    body.fill(9);
    const { seen } = await collect(bus, queue);
    await until(() => seen.length === 1);
    expect(seen[0]).toMatchObject({
      exchange: EXCHANGE,
      routingKey: 'k',
      messageId: 'm1',
      contentType: 'text/plain',
      redelivered: false,
    });
    expect(seen[0]?.headers).toEqual({ a: 1 });
  });

  test('hands no reader the bytes of another', async () => {
    const one = await declare(bus, {}, 'k', 'fanout');
    const other = await declare(bus, {}, 'k', 'fanout');
    const { seen: first } = await collect(bus, one, (delivery) => {
      delivery.body.fill(0);
      delivery.ack();
    });
    await publish(bus, 'abc');
    await until(() => first.length === 1);
    const { seen: second } = await collect(bus, other);
    await until(() => second.length === 1);
    expect(text(second)).toEqual(['abc']);
  });

  test('keeps the order of one queue', async () => {
    const queue = await declare(bus);
    const bodies = Array.from({ length: 50 }, (_, i) => String(i));
    await Promise.all(bodies.map((body) => publish(bus, body)));
    const { seen } = await collect(bus, queue);
    await until(() => seen.length === 50);
    expect(text(seen)).toEqual(bodies);
  });

  test('routes by topic: a star is one word, a hash any number', async () => {
    const star = await declare(bus, {}, 'hb.*.x', 'topic');
    const hash = await declare(bus, {}, 'hb.#', 'topic');
    for (const routingKey of ['hb.1.x', 'hb.1', 'hb']) await publish(bus, routingKey, { routingKey });
    const [one, other] = [await collect(bus, star), await collect(bus, hash)];
    await until(() => other.seen.length === 3);
    expect(text(one.seen)).toEqual(['hb.1.x']);
    expect(text(other.seen)).toEqual(['hb.1.x', 'hb.1', 'hb']);
  });

  test('reaches a queue by its name through the default exchange', async () => {
    const queue = await declare(bus);
    await publish(bus, 'direct', { exchange: '', routingKey: queue });
    const { seen } = await collect(bus, queue);
    await until(() => seen.length === 1);
  });

  test('refuses a mandatory message that no queue takes, lets another one vanish', async () => {
    const queue = await declare(bus);
    const unroutable = publish(bus, 'lost', { routingKey: 'nobody' });
    await Promise.all([
      expect(unroutable).rejects.toMatchObject({ code: 'RPC_REFUSED' }),
      publish(bus, 'a'),
      publish(bus, 'lost', { routingKey: 'nobody', mandatory: false }),
      publish(bus, 'b'),
    ]);
    const { seen } = await collect(bus, queue);
    await until(() => seen.length === 2);
  });

  test('refuses a message to an exchange that is not there, and carries the others on', async () => {
    const queue = await declare(bus);
    const outcomes = await Promise.allSettled([
      publish(bus, 'a'),
      publish(bus, 'x', { exchange: 'none' }),
      publish(bus, 'b'),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { code: 'RPC_REFUSED' } });
    const { seen } = await collect(bus, queue);
    await until(() => new Set(text(seen)).size === 2);
  });

  test('refuses what a full queue does not take, as retryable', async () => {
    await declare(bus, { arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' } });
    await publish(bus, 'a');
    await expect(publish(bus, 'b')).rejects.toMatchObject({ code: 'RPC_REFUSED', retryable: true });
  });

  test('drops the oldest of a full queue that is told so', async () => {
    const queue = await declare(bus, { arguments: { 'x-max-length': 2, 'x-overflow': 'drop-head' } });
    for (const body of ['a', 'b', 'c']) await publish(bus, body);
    const { seen } = await collect(bus, queue);
    await until(() => seen.length === 2);
    expect(text(seen)).toEqual(['b', 'c']);
  });

  test('drops a message at its expiry, its own or that of its queue', async () => {
    const own = await declare(bus);
    await publish(bus, 'short', { expirationMs: 50 });
    await publish(bus, 'long', { expirationMs: 60_000 });
    const queues = await declare(bus, { arguments: { 'x-message-ttl': 50 } }, 'k2');
    await publish(bus, 'short', { routingKey: 'k2' });
    await pause(120);
    const [one, other] = [await collect(bus, own), await collect(bus, queues)];
    await until(() => one.seen.length === 1);
    await pause(50);
    expect(text(one.seen)).toEqual(['long']);
    expect(other.seen).toEqual([]);
  });
});
