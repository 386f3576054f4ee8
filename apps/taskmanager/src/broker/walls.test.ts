import { randomBytes } from 'node:crypto';
import { newUuid, Secret } from '@trove/common';
import {
  type Bus,
  deploymentMark,
  guestAccount,
  guestTopology,
  type Publication,
  type Topology,
} from '@trove/crypto-rpc';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DEPLOYMENT, WALLED_BROKERS, type WalledBroker } from '../../test/each_broker.ts';
import { type BrokerAccounts, createBrokerAccounts } from './broker_accounts.ts';
import type { BrokerAdmin } from './broker_admin.ts';

vi.setConfig({ testTimeout: 60_000 });

const EXCHANGES: Topology = {
  exchanges: [
    { name: 'trove.tasks', type: 'direct', durable: true },
    { name: 'trove.down', type: 'direct', durable: true },
    { name: 'trove.up', type: 'topic', durable: true },
    { name: 'trove.reply', type: 'topic', durable: true },
  ],
  queues: [{ name: 'all', durable: true }],
  bindings: [
    { exchange: 'trove.up', queue: 'all', routingKey: '#' },
    { exchange: 'trove.reply', queue: 'all', routingKey: '#' },
  ],
};

const newPassword = (): Secret => new Secret(randomBytes(32).toString('base64url'));
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300));

async function until(holds: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(holds()).toBe(true), { timeout: 40_000, interval: 20 });
}

describe.each(WALLED_BROKERS)('the walls around a guest %s', (_name, open) => {
  let broker: WalledBroker;
  let accounts: BrokerAccounts;
  let heard: Publication['routingKey'][];

  beforeEach(async () => {
    broker = await open();
    accounts = createBrokerAccounts(broker.admin, async () => DEPLOYMENT);
    heard = [];
    await broker.service.declare(EXCHANGES);
    await broker.service.consume('all', { prefetch: 100 }, async (delivery) => {
      heard.push(`${delivery.routingKey} ${delivery.userId}`);
      delivery.ack();
    });
  });
  afterEach(() => broker.dispose());

  async function guest(): Promise<{ id: string; password: Secret; bus: Bus }> {
    const [id, password] = [newUuid(), newPassword()];
    await accounts.make(id, password);
    const bus = await broker.login(id, password);
    await until(() => bus.state === 'connected');
    return { id, password, bus };
  }

  const send = (bus: Bus, exchange: string, routingKey: string, userId?: string): Promise<void> =>
    bus.publish({
      ...{ exchange, routingKey, body: Buffer.from('x'), contentType: 'text/plain' },
      ...{ persistent: false, mandatory: false, ...(userId !== undefined && { userId }) },
    });

  async function consumed(bus: Bus, queue: string): Promise<string[]> {
    const seen: string[] = [];
    await bus.consume(queue, { prefetch: 1 }, async (delivery) => {
      seen.push(delivery.body.toString());
      delivery.ack();
    });
    return seen;
  }

  test('a guest reports, answers and is asked under its own names, and the broker vouches for its account', async () => {
    const { id, bus } = await guest();
    const user = guestAccount(id);
    const keys = [`hb.${id[0]}.${id}`, `ev.${id}`, `r.0123456789abcdef.${id}`];
    for (const key of keys) await send(bus, key.startsWith('r') ? 'trove.reply' : 'trove.up', key, user);
    await until(() => heard.length === 3);
    expect(heard.toSorted()).toEqual(keys.map((key) => `${key} ${user}`).toSorted());
    const seen = await consumed(bus, `guest.${id}`);
    await send(broker.service, 'trove.down', `guest.${id}`);
    await until(() => seen.length === 1);
  });

  test('it writes to no exchange and under no routing key but its own, not even with a newline at the end', async () => {
    const [own, victim] = [await guest(), await guest()];
    const { id } = own;
    const forbidden: [string, string][] = [
      ...[`hb.${victim.id[0]}.${victim.id}`, `ev.${victim.id}`, `hb.x.${id}`, `ev.${id}\n`, `hb.${id[0]}.${id}\n`].map(
        (key): [string, string] => ['trove.up', key],
      ),
      ...[`x\nev.${id}`, `ev.${id}.more`, `ev${id}`].map((key): [string, string] => ['trove.up', key]),
      ...[`r.0123456789abcdef.${victim.id}`, `r.0123456789abcdef.tm`, `r.0123456789abcdef.${id}\n`, `r.x.${id}`].map(
        (key): [string, string] => ['trove.reply', key],
      ),
      ['', `guest.${victim.id}`],
      ['', 'all'],
      ['trove.down', `guest.${victim.id}`],
      ['trove.tasks', 'taskmanager.tasks'],
      [deploymentMark(DEPLOYMENT).exchange, `ev.${id}`],
    ];
    for (const [exchange, key] of forbidden)
      await expect(send(own.bus, exchange, key), key).rejects.toMatchObject({ code: 'RPC_REFUSED' });
    await expect(send(own.bus, 'trove.up', `ev.${id}`, guestAccount(victim.id))).rejects.toMatchObject({
      code: 'RPC_REFUSED',
    });
    await send(own.bus, 'trove.up', `ev.${id}`);
    await until(() => heard.length > 0);
    expect(heard.map((line) => line.split(' ')[0])).toEqual([`ev.${id}`]);
    const marks = new Map([own, victim].map((of) => [guestAccount(of.id), [DEPLOYMENT]]));
    expect([await accounts.marks(), await accounts.marks(id)]).toEqual([marks, new Map([...marks].slice(0, 1))]);
  });

  test("it reads no other guest's queue and takes nothing out of it", async () => {
    const [own, victim] = [await guest(), await guest()];
    const stolen = await consumed(own.bus, `guest.${victim.id}`);
    const shared = await consumed(own.bus, 'all');
    await send(broker.service, 'trove.down', `guest.${victim.id}`);
    await settled();
    expect([stolen, shared]).toEqual([[], []]);
    const seen = await consumed(victim.bus, `guest.${victim.id}`);
    await until(() => seen.length === 1);
  });

  test('it declares, binds and deletes nothing, its own queue included', async () => {
    const { id, bus } = await guest();
    const queue = guestTopology(id).queues?.[0] ?? { name: '', durable: true };
    const topologies: Topology[] = [
      { queues: [queue] },
      { queues: [{ name: `guest.${newUuid()}`, durable: true }] },
      { queues: [{ name: 'amq.gen-own', durable: false, exclusive: true }] },
      { exchanges: [{ name: 'trove.up', type: 'topic', durable: true }] },
      { exchanges: [{ name: 'own', type: 'fanout', durable: true }] },
      { bindings: [{ exchange: 'trove.up', queue: queue.name, routingKey: '#' }] },
      { bindings: [{ exchange: 'trove.down', queue: queue.name, routingKey: 'guest.another' }] },
    ];
    for (const topology of topologies) await expect(bus.declare(topology), JSON.stringify(topology)).rejects.toThrow();
    await expect(bus.deleteQueue(queue.name)).rejects.toThrow();
    expect(await broker.admin.hasQueue(guestTopology(id))).toBe(true);
  });

  test('a third connection is refused, and so is another password', async () => {
    const { id, password, bus } = await guest();
    const second = await broker.login(id, password);
    await until(() => second.state === 'connected');
    const [third, wrong] = [await broker.login(id, password), await broker.login(id, newPassword())];
    await settled();
    expect([bus.state, second.state, third.state, wrong.state]).toEqual([
      'connected',
      'connected',
      'connecting',
      'connecting',
    ]);
  });

  test('a guest that is cut off loses its connection at once and gets none again', async () => {
    const { id, bus } = await guest();
    await accounts.cutOff(id);
    await until(() => bus.state === 'connecting');
    await settled();
    expect(bus.state).toBe('connecting');
    expect(await broker.admin.hasQueue(guestTopology(id))).toBe(true);
    await accounts.remove(id);
    await accounts.remove(id);
    expect(await broker.admin.hasQueue(guestTopology(id))).toBe(false);
  });

  test('a new password ends the old one, and the same making twice changes nothing', async () => {
    const { id, password } = await guest();
    const next = newPassword();
    await accounts.make(id, next);
    await accounts.make(id, next);
    const [old, bus] = [await broker.login(id, password), await broker.login(id, next)];
    await until(() => bus.state === 'connected');
    expect([old.state, await accounts.repair(id, async () => undefined)]).toEqual(['connecting', []]);
  });

  test('after a crash at whatever step nobody can log in, and the next try finishes the work', async () => {
    for (let survived = 0; ; survived += 1) {
      const [id, password] = [newUuid(), newPassword()];
      const crash = crashingAfter(broker.admin, survived);
      const made = await createBrokerAccounts(crash.admin, async () => DEPLOYMENT)
        .make(id, password)
        .then(
          () => true,
          () => false,
        );
      if (made) {
        expect(crash.acts.filter((act) => act !== 'readAccount')).toEqual([
          'putUser',
          'putTopicPermission',
          'putTopicPermission',
          'putTopicPermission',
          'putLimits',
          'putQueue',
          'putPermissions',
          'putUser',
        ]);
        return;
      }
      const facts = await broker.admin.readAccount(guestAccount(id));
      if (crash.acts.filter((act) => act === 'putUser').length < 2) expect(facts?.hasPassword ?? false).toBe(false);
      await accounts.make(id, password);
      expect(await accounts.repair(id, async () => undefined)).toEqual([]);
      await accounts.remove(id);
    }
  });

  test('what is missing or wrong is found and made right, and a lost account comes back with its password', async () => {
    const { id, password, bus } = await guest();
    const user = guestAccount(id);
    await broker.admin.putTopicPermission(user, 'trove.up', { write: '.*', read: '.*' });
    await broker.admin.putPermissions(user, { configure: '.*', write: '.*', read: '.*' });
    await broker.admin.putLimits(user, { maxConnections: 100, maxChannels: 100 });
    await broker.admin.deleteQueue(`guest.${id}`);
    const nobody = async (): Promise<undefined> => undefined;
    expect(await accounts.repair(id, nobody)).toEqual([
      'topic permission on trove.up',
      'limits',
      'queue',
      'permissions',
    ]);
    expect([await accounts.repair(id, nobody), bus.state]).toEqual([[], 'connected']);

    await accounts.cutOff(id);
    expect(await accounts.repair(id, nobody)).toContain('password');
    expect(await broker.admin.readAccount(user)).toBeUndefined();
    expect(await accounts.repair(id, async () => password)).toContain('password');
    const again = await broker.login(id, password);
    await until(() => again.state === 'connected');
  });
});

/** The same administration until so many of its acts have been done; then every one fails. */
function crashingAfter(admin: BrokerAdmin, survived: number): { admin: BrokerAdmin; acts: string[] } {
  const acts: string[] = [];
  const crashing = new Proxy(admin, {
    get(target, name) {
      const act = Reflect.get(target, name);
      if (typeof act !== 'function' || name === 'hasQueue') return act;
      return async (...args: unknown[]) => {
        if (acts.length === survived) throw new Error('crashed');
        acts.push(String(name));
        return Reflect.apply(act, target, args);
      };
    },
  });
  return { admin: crashing, acts };
}
