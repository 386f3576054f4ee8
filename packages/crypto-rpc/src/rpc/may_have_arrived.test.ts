import { systemClock } from '@trove/common';
import { afterEach, expect, test } from 'vitest';
import { guestClient, logger, PeerTable, until } from '../../test/fixtures.ts';
import type { Publication } from '../bus/bus.ts';
import { type Link, LinkLost, Unconfirmed } from '../bus/link.ts';
import { ManagedBus } from '../bus/managed_bus.ts';
import { createMemoryBroker } from '../bus/memory_broker.ts';
import { guestQueue, legacyGuestTopic } from './topology.ts';

const message: Publication = {
  exchange: '',
  routingKey: 'q',
  body: Buffer.from('a'),
  contentType: 'x',
  persistent: true,
  mandatory: true,
};
const PAGE = { limit: 20, marker: null, include_marker: false };
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** A bus whose broker does what `publish` does with what was written to it, and all else at once. */
function busOver(publish: (link: Link) => Promise<void>, written: Publication[] = []): ManagedBus {
  const openLink = async (): Promise<Link> => {
    const ended = Promise.withResolvers<void>();
    const link: Link = {
      declare: async () => {},
      publish: async (publication) => {
        written.push(publication);
        await publish(link);
      },
      consume: async () => ({ cancel: async () => {}, release: async () => {} }),
      deleteQueue: async () => {},
      close: async () => ended.resolve(),
      closed: ended.promise,
      blocked: undefined,
    };
    return link;
  };
  const bus = new ManagedBus({ openLink, logger, clock: systemClock, timeoutMs: 200 });
  open.push(bus);
  return bus;
}

const neverConfirms = (): Promise<void> => new Promise(() => {});

async function lostWithItsLink(link: Link): Promise<void> {
  await link.close();
  throw new LinkLost('connection ended');
}

test.each([
  ['not confirmed', neverConfirms],
  ['lost with each link', lostWithItsLink],
])('a message that was written and %s may have arrived, and the error says so', async (_, publish) => {
  const failed = busOver(publish).publish(message);
  await expect(failed).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE', retryable: true });
  await expect(failed).rejects.toHaveProperty('cause', expect.any(Unconfirmed));
});

test('one that no link was there for has not arrived', async () => {
  const openLink = (): Promise<Link> => Promise.reject(new Error('no broker'));
  const bus = new ManagedBus({ openLink, logger, clock: systemClock, timeoutMs: 200 });
  open.push(bus);
  const failed = bus.publish(message);
  await expect(failed).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE', retryable: true });
  await expect(failed).rejects.not.toHaveProperty('cause');
});

test.each([0, 1] as const)(
  'a guest of policy %i may have got what was not confirmed: that is its time-out',
  async (policy) => {
    const written: Publication[] = [];
    const table = new PeerTable();
    const { instanceId } = table.add(policy);
    const client = guestClient(busOver(neverConfirms, written), table);
    open.push(client);
    for (const failed of [
      client.call(instanceId, 'list_databases', PAGE, { deadlineMs: 5000 }),
      client.call(instanceId, 'create_database', { databases: [] }, { deadlineMs: 5000 }),
    ]) {
      await expect(failed).rejects.toMatchObject({ code: 'GUEST_TIMEOUT', retryable: true });
      // Its cause would say that no queue took it.
      await expect(failed).rejects.not.toHaveProperty('cause');
    }
    expect(written).toHaveLength(2);
  },
);

test.each([0, 1, 2] as const)(
  'a client that closes has asked its guest of policy %i: that is its time-out',
  async (policy) => {
    const bus = createMemoryBroker().bus();
    open.push(bus);
    const table = new PeerTable();
    const { instanceId } = table.add(policy);
    if (policy === 2) table.change(instanceId, { bootNonce: Buffer.alloc(16, 1), sequence: 0n });
    const client = guestClient(bus, table);
    await client.declareGuest(instanceId, policy);
    let asked = 0;
    await bus.consume(
      policy === 2 ? guestQueue(instanceId) : legacyGuestTopic(instanceId),
      { prefetch: 1 },
      async (delivery) => {
        delivery.ack();
        asked += 1;
      },
    );
    const call = client.call(instanceId, 'restart', {}, { deadlineMs: 60_000 });
    const closed = until(() => asked === 1).then(() => client.close());
    await expect(call).rejects.toMatchObject({ code: 'GUEST_TIMEOUT', retryable: true });
    await closed;
  },
);
