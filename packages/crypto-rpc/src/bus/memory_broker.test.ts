import { randomUUID } from 'node:crypto';
import { Secret } from '@trove/common';
import { expect, test } from 'vitest';
import { until } from '../../test/fixtures.ts';
import { guestAccount, guestWalls } from '../rpc/guest_account.ts';
import type { Delivery } from './bus.ts';
import { createMemoryBroker } from './memory_broker.ts';

const message = {
  exchange: '',
  routingKey: 'q',
  body: Buffer.from('a'),
  contentType: 'x',
  persistent: false,
  mandatory: true,
};

test('the account of a connection is stamped on what it publishes, and a tap sees copies of it all', async () => {
  const broker = createMemoryBroker();
  const [guest, service] = [broker.bus({ user: 'guest-1' }), broker.bus()];
  const tapped: unknown[] = [];
  const stop = broker.tap((seen) => {
    tapped.push({ ...seen, body: seen.body.toString() });
    seen.body.fill(0);
  });
  await service.declare({ queues: [{ name: 'q', durable: true }] });
  const seen: Delivery[] = [];
  await service.consume('q', { prefetch: 1 }, async (delivery) => {
    seen.push(delivery);
    delivery.ack();
  });
  await guest.publish(message);
  stop();
  await service.publish(message);
  await until(() => seen.length === 2);
  expect(seen.map(({ userId }) => userId)).toEqual(['guest-1', undefined]);
  expect(seen[0]?.body.toString()).toBe('a');
  expect(tapped).toEqual([{ exchange: '', routingKey: 'q', body: 'a', contentType: 'x', userId: 'guest-1' }]);
  await Promise.all([guest.close(), service.close()]);
});

test('an account that is deleted loses its connections, and one without a password or rights gets none', async () => {
  const broker = createMemoryBroker();
  const [user, secret] = [guestAccount(randomUUID()), new Secret('its own')];
  const guest = broker.bus({ user, secret });
  broker.accounts.set(user, { secret, topics: {} });
  expect(guest.state).toBe('connecting');
  const { permissions, topics } = guestWalls('x');
  broker.accounts.set(user, { secret, permissions, topics });
  await until(() => guest.state === 'connected');
  const wrong = broker.bus({ user, secret: new Secret('another') });
  broker.accounts.delete(user);
  await until(() => guest.state === 'connecting');
  expect(wrong.state).toBe('connecting');
  await Promise.all([guest.close(), wrong.close()]);
});
