import { randomUUID } from 'node:crypto';
import type { Bus, Delivery, Publication, QueueSpec, Subscription } from '../src/bus/bus.ts';

export const EXCHANGE = 'x';

export const text = (deliveries: readonly Delivery[]): string[] =>
  deliveries.map((delivery) => delivery.body.toString());

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A queue, bound to the exchange of these tests; returns its name. */
export async function declare(
  bus: Bus,
  queue: Partial<QueueSpec> = {},
  routingKey = 'k',
  type: 'direct' | 'topic' | 'fanout' = 'direct',
): Promise<string> {
  const name = queue.name ?? `q.${randomUUID()}`;
  await bus.declare({
    exchanges: [{ name: EXCHANGE, type, durable: true }],
    queues: [{ durable: true, ...queue, name }],
    bindings: [{ exchange: EXCHANGE, queue: name, routingKey }],
  });
  return name;
}

export function publish(bus: Bus, body: string | Buffer, more: Partial<Publication> = {}): Promise<void> {
  return bus.publish({
    exchange: EXCHANGE,
    routingKey: 'k',
    body: Buffer.from(body),
    contentType: 'text/plain',
    persistent: true,
    mandatory: true,
    ...more,
  });
}

/** Consumes into a list, settling each as told. */
export async function collect(
  bus: Bus,
  queue: string,
  settle: (delivery: Delivery) => void = (delivery) => delivery.ack(),
): Promise<{ seen: Delivery[]; subscription: Subscription }> {
  const seen: Delivery[] = [];
  const subscription = await bus.consume(queue, { prefetch: 10 }, async (delivery) => {
    seen.push(delivery);
    settle(delivery);
  });
  return { seen, subscription };
}

/** A dead-letter exchange with its queue, and the arguments that send a queue's dead letters there. */
export async function deadLetters(bus: Bus): Promise<Readonly<Record<string, string>>> {
  await bus.declare({
    exchanges: [{ name: 'dlx', type: 'direct', durable: true }],
    queues: [{ name: 'dead', durable: true }],
    bindings: [{ exchange: 'dlx', queue: 'dead', routingKey: 'dead' }],
  });
  return { 'x-dead-letter-exchange': 'dlx', 'x-dead-letter-routing-key': 'dead' };
}
