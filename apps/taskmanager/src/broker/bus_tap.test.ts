import { readFileSync } from 'node:fs';
import { checkInvariants, type InvariantReport } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { newUuid, Secret, silentLogger } from '@trove/common';
import { type Bus, createAmqpBus, guestTopology, SEALED_TOPOLOGY } from '@trove/crypto-rpc';
import { type TestBroker, testBroker } from '@trove/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type BusTapOptions, busTap } from './bus_tap.ts';

const PASSWORD = 'a-password-of-the-files';
const SAID = 'what-was-said-in-clear';
const VECTORS = new URL('../../../../packages/crypto-rpc/vectors/v2.json', import.meta.url);
const { positive }: { positive: { envelope: string }[] } = JSON.parse(readFileSync(VECTORS, 'utf8'));
const ENVELOPE = Buffer.from(positive[0]?.envelope ?? '', 'hex');

let broker: TestBroker;
let catalog: TestCatalog;
let bus: Bus;
let ids: { sealed: string; clear: string; v1: string };
beforeAll(async () => {
  [broker, catalog] = await Promise.all([testBroker(), testCatalog('sqlite')]);
  bus = await createAmqpBus({ transportUrl: new Secret(broker.url), connectionName: 'test', logger: silentLogger });
  await bus.declare(SEALED_TOPOLOGY);
  await bus.declare({ exchanges: [{ name: 'trove', type: 'topic', durable: false }] });
});
afterAll(async () => {
  await bus.close();
  await broker.dispose();
  await catalog.dispose();
});
beforeEach(async () => {
  ids = { sealed: newUuid(), clear: newUuid(), v1: newUuid() };
  await know(ids.sealed, 2);
  await know(ids.clear, 0);
  await know(ids.v1, 1);
  await bus.declare(guestTopology(ids.sealed));
});

async function know(id: string, rpc_policy: number): Promise<void> {
  await catalog.knex('instances').insert({ id, deleted: 0, rpc_policy });
}

/** As a service or a guest of Trove writes it. */
function oslo(method: string, args: object): Buffer {
  const message = { method, args, version: '1.0', _unique_id: newUuid() };
  return Buffer.from(JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': JSON.stringify(message) }));
}

async function say(exchange: string, routingKey: string, body: Buffer, header = ''): Promise<void> {
  const headers = header === '' ? {} : { headers: { note: header } };
  await bus.publish({ exchange, routingKey, body, contentType: 'x', persistent: false, mandatory: false, ...headers });
}

/** What the tap's options have besides: how long, what ends it. */
type Changes = Partial<Pick<BusTapOptions, 'seconds' | 'signal'>> & { readonly url?: string };

/** Says all of it while the tap is open, however long it takes to open. */
async function check(talk: () => Promise<void>, { url = broker.managementUrl, ...changes }: Changes = {}) {
  const absent = { notChecked: 'not in this test' };
  const whole = new Secret(broker.url);
  const tap = busTap({
    seconds: 3,
    urls: { clear: whole, sealed: whole },
    management: { broker_management_url: new Secret(url), broker_management_ca: undefined },
    tls: undefined,
    sealedTopics: ['taskmanager'],
    logger: silentLogger,
    ...changes,
  });
  const report = checkInvariants({
    ...{ catalog, things: absent, flavors: absent, rings: absent, effects: absent, broker: absent, bus: tap },
    logs: { files: [], secrets: [{ name: 'the password of this test', secret: new Secret(PASSWORD) }] },
    settleMs: 0,
  });
  report.catch(() => undefined);
  await tracing(true);
  await talk();
  return await report;
}

const ofBus = ({ results }: InvariantReport) => results.find(({ invariant }) => invariant === 'I9');

const vhost = (method: 'GET' | 'PUT', body?: object) => manage(method, `vhosts/${broker.vhost}`, body);

async function manage(method: 'GET' | 'PUT' | 'DELETE', path: string, body?: object): Promise<Record<string, unknown>> {
  const { origin, username, password } = new URL(broker.managementUrl);
  const response = await fetch(`${origin}/api/${path}`, {
    method,
    headers: { authorization: `Basic ${btoa(`${username}:${password}`)}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return method === 'GET' ? ((await response.json()) as Record<string, unknown>) : {};
}

async function tracing(wanted: boolean): Promise<void> {
  await expect.poll(async () => (await vhost('GET'))['tracing'], { timeout: 20_000 }).toBe(wanted);
}

test('what is in clear to, from and among sealed peers is found, and nothing of what it says is told', async () => {
  const later = newUuid();
  const report = await check(async () => {
    await know(later, 2);
    await say('trove.down', `guest.${ids.sealed}`, Buffer.from(`{"password":"${SAID}"}`));
    await say('trove', `guestagent.${ids.sealed}`, oslo('create_user', { users: [SAID] }));
    await say('trove', `guestagent.${ids.sealed}`, oslo('create_user', { users: [SAID] }));
    await say('trove', 'trove-conductor', oslo('heartbeat', { instance_id: ids.sealed, payload: SAID }));
    await say('trove', 'trove-conductor', oslo(SAID, { instance_id: later }));
    await say('trove', 'taskmanager', oslo('list_users', { instance_id: ids.clear, name: SAID }));
    await say('', 'conductor.ev', Buffer.from(SAID));
    await say(SAID, '', ENVELOPE).catch(() => undefined);
    await say('', 'nobody', Buffer.from('x'), `Basic ${Buffer.from(PASSWORD).toString('base64')}`);
  });
  expect(ofBus(report)?.findings.map(({ what, instanceId }) => [instanceId, what])).toEqual([
    [null, `a message that is not sealed on exchange trove.down for guest.${ids.sealed}, 1 time`],
    [ids.sealed, `"create_user" in clear on exchange trove for guestagent.${ids.sealed}, 2 times`],
    [ids.sealed, '"heartbeat" in clear on exchange trove for trove-conductor, 1 time'],
    [later, 'a message that is not sealed on exchange trove for trove-conductor, 1 time'],
    [null, '"list_users" in clear on exchange trove for taskmanager, 1 time'],
    [null, 'a message that is not sealed to queue conductor.ev, 1 time'],
    [null, 'a message to queue nobody holds the password of this test'],
  ]);
  expect(JSON.stringify(report)).not.toMatch(new RegExp(`${SAID}|${PASSWORD}`));
  await tracing(false);
});

test('sealed messages, and guests that are spoken to in clear as Trove did, are none', async () => {
  const turned = newUuid();
  await know(turned, 0);
  const report = await check(async () => {
    await say('trove.down', `guest.${ids.sealed}`, ENVELOPE);
    for (const id of [ids.clear, ids.v1, turned]) {
      await say('trove', `guestagent.${id}`, oslo('create_user', { users: [SAID] }));
      await say('trove', 'trove-conductor', oslo('heartbeat', { instance_id: id, payload: SAID }));
    }
    await say('trove', 'guestagent.of-nobody', Buffer.from('nothing that can be read'));
    // It is upgraded while the tap is open: what it said before is not held against it.
    await catalog.knex('instances').where({ id: turned }).update({ rpc_policy: 2 });
  });
  expect(ofBus(report)).toMatchObject({ findings: [], notes: ['tapped: 8 messages on the bus, 1 of them sealed'] });
});

test('tracing that was on stays on, and the vhost is left with what it had; a tap that sees nothing says so', async () => {
  await vhost('PUT', { description: 'of this test', tags: 'one,two', default_queue_type: 'quorum', tracing: false });
  const before = await vhost('GET');
  const report = await check(async () => undefined);
  expect(ofBus(report)?.notChecked).toContain('the bus: no message passed while it was tapped');
  const shown = ({ description, tags, default_queue_type, tracing: on }: Record<string, unknown>) => ({
    ...{ description, tags, default_queue_type, on },
  });
  expect(shown(await vhost('GET'))).toEqual(shown(before));
  await vhost('PUT', { description: 'of this test', tags: 'one,two', default_queue_type: 'quorum', tracing: true });
  await check(async () => undefined, { seconds: 1 });
  expect(shown(await vhost('GET'))).toEqual({ ...shown(before), on: true });
  await vhost('PUT', { tracing: false });
});

test('ended early, or with a tracing that somebody else ends, it is no check; tracing is off again', async () => {
  const stop = new AbortController();
  const stopped = check(async () => stop.abort(new Error('told to stop')), { seconds: 600, signal: stop.signal });
  await expect(stopped).rejects.toThrow('told to stop');
  await tracing(false);
  const ended = await check(async () => vhost('PUT', { tracing: false }).then(() => undefined), { seconds: 1 });
  expect(ofBus(ended)?.notChecked).toContain('the bus: the connection or the tracing ended while it was tapped');
  await tracing(false);
});

test('an account that may not read the copies is told so, and nothing is turned on', async () => {
  const user = `admin-${newUuid()}`;
  await manage('PUT', `users/${user}`, { password: PASSWORD, tags: 'administrator' });
  const url = new URL(broker.managementUrl);
  [url.username, url.password] = [user, PASSWORD];
  const tap = (): Promise<unknown> =>
    busTap({
      seconds: 1,
      urls: { clear: new Secret(broker.url), sealed: new Secret(broker.url) },
      management: { broker_management_url: new Secret(url.href), broker_management_ca: undefined },
      ...{ tls: undefined, sealedTopics: [], logger: silentLogger },
    }).read(() => undefined);
  try {
    await expect(tap()).rejects.toThrow(`as "${user}"`);
    await manage('PUT', `permissions/${broker.vhost}/${user}`, { configure: '.*', write: '.*', read: '^trove' });
    await expect(tap()).rejects.toThrow(/ACCESS_REFUSED.*amq\.rabbitmq\.trace/);
    await tracing(false);
  } finally {
    await manage('DELETE', `users/${user}`);
  }
});
