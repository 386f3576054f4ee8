import { setTimeout as delay } from 'node:timers/promises';
import type { Bus, Delivery, Publication } from '@trove/crypto-rpc';
import { oneOf, type Random } from '@trove/testkit/random';

const LATE_MS = 3000;

/**
 * The same bus, on which a share of messages, either way, is lost though its sender was told that it went, comes twice, or
 * comes later than those after it.
 */
export function faultyBus(bus: Bus, share: () => number, random: Random): Bus {
  const fate = (): 'lost' | 'twice' | 'late' | 'passes' =>
    random() < share() ? oneOf(random, ['lost', 'twice', 'late'] as const) : 'passes';
  const later = (work: () => Promise<void>): void =>
    void delay(random() * LATE_MS)
      .then(work)
      .catch(() => undefined);

  async function publish(publication: Publication): Promise<void> {
    const what = fate();
    if (what === 'lost') return;
    if (what === 'late') return later(() => bus.publish(publication));
    await bus.publish(publication);
    if (what === 'twice') await bus.publish(publication);
  }

  const deliver = (onDelivery: (delivery: Delivery) => Promise<void>) => async (delivery: Delivery) => {
    const what = fate();
    if (what === 'lost') return delivery.ack();
    if (what === 'late') await delay(random() * LATE_MS);
    await onDelivery(delivery);
    if (what === 'twice') await onDelivery({ ...delivery, ack: nothing, reject: nothing, requeue: nothing });
  };

  const consume: Bus['consume'] = (queue, options, onDelivery) => bus.consume(queue, options, deliver(onDelivery));

  return new Proxy(bus, {
    get(object, name): unknown {
      if (name === 'publish') return publish;
      if (name === 'consume') return consume;
      const member: unknown = Reflect.get(object, name, object);
      // Bound to the bus itself: a method may use what is private to it.
      return typeof member === 'function' ? member.bind(object) : member;
    },
  });
}

function nothing(): void {}
