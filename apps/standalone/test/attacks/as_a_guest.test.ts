import { randomBytes } from 'node:crypto';
import { newUuid } from '@trove/common';
import { guestAccount } from '@trove/crypto-rpc';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { API, CONDUCTOR, forge, guest, rootKey, TASKMANAGER } from './forge.ts';
import { type Guest, openScene, type Scene, send, settled, until } from './scene.ts';

let scene: Scene;
let thief: Guest;
let victim: Guest;
let sequence = 1000n;

beforeAll(async () => {
  scene = await openScene();
  [thief, victim] = [await scene.guest(), await scene.guest()];
});
afterAll(() => scene.dispose(), 60_000);
beforeEach(() => {
  scene.reasons.length = 0;
});

const heartbeatOf = (id: string, more = {}) =>
  JSON.stringify({
    m: 'heartbeat',
    v: '1.0',
    a: { instance_id: id, payload: { service_status: 'shutdown' }, ...more },
  });

/** A report under the thief's own key, by default as the format wants it. */
function report(text: string, more: { sender?: string; sequence?: bigint; boot?: Buffer } = {}): Buffer {
  sequence += 1n;
  return forge(rootKey(thief.key, 'uplink'), {
    ...{ kind: 'report', receiver: CONDUCTOR, text, sender: more.sender ?? guest(thief.id) },
    ...{ sequence: more.sequence ?? sequence, bootNonce: more.boot ?? thief.boot() },
  });
}

/** Under the thief's account, by the routing key of its events, where all reports are taken. */
const tell = (body: Buffer, options = {}): Promise<void> =>
  send(thief.plain, 'trove.up', `ev.${thief.id}`, body, { userId: guestAccount(thief.id), ...options });

const refused = (count: number): Promise<void> => until(() => scene.reasons.length >= count);

async function unharmed(): Promise<void> {
  const before = (await scene.report(victim.id))?.sequence;
  await victim.heartbeat();
  await until(async () => Number((await scene.report(victim.id))?.sequence) > Number(before));
  expect((await scene.report(victim.id))?.service_status).not.toBe('shutdown');
}

test('the forger writes what is taken, where it tells the truth', async () => {
  sequence += 1n;
  await tell(report(heartbeatOf(thief.id)));
  await until(async () => BigInt((await scene.report(thief.id))?.sequence ?? 0) === sequence);
  expect(scene.reasons).toEqual([]);
});

test("A9: no report under one guest's key speaks for another, whatever its method, sender or arguments", async () => {
  const others = [
    heartbeatOf(victim.id),
    JSON.stringify({ m: 'report_root', v: '1.0', a: { instance_id: victim.id } }),
    JSON.stringify({ m: 'update_backup', v: '1.0', a: { instance_id: victim.id, backup_id: newUuid() } }),
  ];
  for (const text of others) await tell(report(text));
  await refused(3);
  expect(scene.reasons.splice(0)).toEqual(['foreign_id', 'foreign_id', 'foreign_id']);
  for (const text of others) await tell(report(text, { sender: guest(victim.id) }));
  await refused(3);
  expect(new Set(scene.reasons)).toEqual(new Set(['user_id']));
  for (const text of others) await tell(report(text, { sender: guest(victim.id) }), { userId: undefined });
  await refused(6);
  expect(new Set(scene.reasons)).toEqual(new Set(['user_id']));
  await unharmed();
});

test('A10: a member that the method has not is refused, and no row has it', async () => {
  for (const more of [{ tenant_id: 'x' }, { deleted: 1 }, { payload: { service_status: 'healthy', location: 'x' } }])
    await tell(report(heartbeatOf(thief.id, more)));
  await refused(3);
  expect(new Set(scene.reasons)).toEqual(new Set(['arguments']));
});

test('A11: names that would reach a prototype are refused anywhere', async () => {
  const gadgets = [
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"x":[{"prototype":1}]}',
  ];
  for (const payload of gadgets)
    await tell(report(`{"m":"heartbeat","v":"1.0","a":{"instance_id":"${thief.id}","payload":${payload}}}`));
  await refused(3);
  expect(new Set(scene.reasons)).toEqual(new Set(['content']));
  expect(Reflect.get({}, 'polluted')).toBeUndefined();
});

test('A12: made-up answers to a live call of another guest leave it to the right one', async () => {
  let release = (): void => undefined;
  victim.hold = new Promise<void>((resolve) => {
    release = resolve;
  });
  const answer = scene.createDatabase(victim.id, 'asked');
  await until(() => scene.recorded.some(({ routingKey }) => routingKey === `guest.${victim.id}`));
  await settled();
  const request = scene.recorded.findLast(({ routingKey }) => routingKey === `guest.${victim.id}`);
  // Even where the thief has seen the question, and knows the queue that waits for its answer.
  const queues = await replyQueues();
  for (let count = 0; count < 200; count += 1) {
    const body = forge(rootKey(thief.key, 'downlink'), {
      ...{ kind: 'reply', sender: guest(count % 2 === 0 ? victim.id : thief.id), receiver: TASKMANAGER },
      ...{ requestId: request?.body.subarray(46, 62) ?? Buffer.alloc(16), requestHash: randomBytes(16) },
      ...{ bootNonce: randomBytes(16), text: '{"r":"forged"}' },
    });
    for (const queue of queues) await send(thief.plain, 'trove.reply', `r.${queue}.${thief.id}`, body);
  }
  await refused(200);
  release();
  expect(await answer).toBeNull();
  expect(scene.reasons.every((reason) => ['user_id', 'request_binding', 'unknown_call'].includes(reason))).toBe(true);
});

/** The 16 hex digits of every reply queue that an answer went to so far. */
async function replyQueues(): Promise<string[]> {
  await scene.createDatabase(thief.id, 'to see where answers go');
  const answers = scene.recorded.filter(({ routingKey }) => routingKey.startsWith('r.') && !routingKey.endsWith('.tm'));
  return [...new Set(answers.map(({ routingKey }) => routingKey.split('.')[1] ?? ''))];
}

test('A16: bytes that fail at every stage end no consumer', async () => {
  const real = report(heartbeatOf(thief.id));
  const bodies = [
    Buffer.alloc(0),
    Buffer.from('x'),
    Buffer.alloc(226),
    Buffer.alloc(500, 'TRV2'),
    real.subarray(0, 225),
  ];
  const texts = [
    '',
    'null',
    '[]',
    '{"m":1}',
    '{"m":"toString","v":"1.0","a":{}}',
    '{"m":"heartbeat","v":"1.0","a":null}',
  ];
  for (const body of [...bodies, ...texts.map((text) => report(text))]) await tell(body);
  await refused(bodies.length + texts.length);
  expect(scene.reasons).toHaveLength(bodies.length + texts.length);
  await unharmed();
});

test('A17: deep and repeated JSON is refused before anything is done with it', async () => {
  const bombs = [
    `${'['.repeat(100)}1${']'.repeat(100)}`,
    `{${'"a":1,'.repeat(1000)}"a":1}`,
    `"${'x'.repeat(500_000)}"`,
  ];
  for (const bomb of bombs)
    await tell(report(`{"m":"heartbeat","v":"1.0","a":{"instance_id":"${thief.id}","payload":${bomb}}}`));
  await refused(3);
  expect(scene.reasons).toEqual(['content', 'content', 'arguments']);
  await unharmed();
});

test('A18: what is larger than 1 MiB is not looked at', async () => {
  const before = process.memoryUsage().rss;
  for (let count = 0; count < 10; count += 1) await tell(Buffer.alloc(2 << 20));
  await refused(10);
  expect(new Set(scene.reasons)).toEqual(new Set(['size']));
  expect(process.memoryUsage().rss - before).toBeLessThan(200 << 20);
  await unharmed();
});

test('A19: while one guest floods, another is heard', async () => {
  const body = report(heartbeatOf(thief.id));
  const flood = Array.from({ length: 5000 }, (_, count) => {
    const bent = Buffer.from(body);
    bent.writeUInt32BE(count, 130);
    return bent;
  });
  for (const bent of flood) thief.plain.publish('trove.up', `ev.${thief.id}`, bent, { userId: guestAccount(thief.id) });
  await unharmed();
  await thief.plain.waitForConfirms();
  await until(() => scene.reasons.length >= flood.length, 30_000);
  expect(scene.reasons.filter((reason) => reason === 'commitment').length).toBeLessThan(100);
  await settled(1000);
});

test('A19: whomever it claims to be, and whether it names its account or not, it makes nobody derive a key for another', async () => {
  const claims = [guest(victim.id), guest(newUuid()), API, TASKMANAGER, CONDUCTOR];
  for (const userId of [guestAccount(thief.id), undefined])
    for (const sender of claims)
      for (let count = 0; count < 20; count += 1) await tell(report('{}', { sender }), { userId });
  await refused(2 * claims.length * 20);
  const derived = scene.reasons.filter((reason) => ['commitment', 'open', 'content', 'rate'].includes(reason));
  expect(derived).toEqual([]);
  await unharmed();
});

test('A21: a sequence from far ahead moves no watermark but its own', async () => {
  await settled(2000);
  await tell(report(heartbeatOf(victim.id), { sequence: 2n ** 60n }));
  await refused(1);
  expect(scene.reasons).toEqual(['foreign_id']);
  await unharmed();
});

test('A42: a copied route is refused, and reaches no call of another guest', async () => {
  await settled(2000);
  const body = report(heartbeatOf(thief.id));
  await tell(body, { CC: [`hb.${victim.id[0]}.${victim.id}`] });
  await refused(1);
  expect(new Set(scene.reasons)).toEqual(new Set(['copied_route']));
  await tell(report(heartbeatOf(victim.id), { sender: guest(victim.id) }), { BCC: [`ev.${victim.id}`] });
  await until(() => scene.reasons.includes('user_id') || scene.reasons.filter((r) => r === 'copied_route').length > 2);
  await unharmed();
});

test('A44: no answer of a guest is taken for what it asks the control plane to do', async () => {
  const call = forge(rootKey(thief.key, 'downlink'), {
    ...{ kind: 'call', sender: guest(thief.id), receiver: TASKMANAGER, bootNonce: thief.boot() },
    text: JSON.stringify({ m: 'run_task', v: '1.0', a: { task_id: newUuid() }, q: '0'.repeat(16) }),
  });
  for (const queue of await replyQueues()) await send(thief.plain, 'trove.reply', `r.${queue}.${thief.id}`, call);
  await refused(1);
  expect(new Set(scene.reasons)).toEqual(new Set(['pair']));
});

test('A26: a guest whose account ended and whose key is retired is heard by nobody', async () => {
  const gone = await scene.guest();
  const [boot, key] = [gone.boot(), gone.key];
  await scene.accounts.cutOff(gone.id);
  await scene.catalog.knex('instances').where({ id: gone.id }).update({ deleted: 1 });
  await settled(5200);
  scene.reasons.length = 0;
  const late = forge(rootKey(key, 'uplink'), {
    ...{ kind: 'report', sender: guest(gone.id), receiver: CONDUCTOR, bootNonce: boot, sequence: 99n },
    text: heartbeatOf(gone.id),
  });
  await expect(send(gone.plain, 'trove.up', `ev.${gone.id}`, late)).rejects.toThrow();
  await send(scene.admin, 'trove.up', `ev.${gone.id}`, late);
  await refused(1);
  expect(scene.reasons).toEqual(['unknown_sender']);
});

test('A5: nothing under the key of a guest passes for the api, a taskmanager or a conductor', async () => {
  scene.reasons.length = 0;
  const text = JSON.stringify({ m: 'restart', v: '1.0', a: {}, q: '0'.repeat(16) });
  for (const sender of [API, TASKMANAGER, CONDUCTOR, guest(thief.id)])
    for (const purpose of ['uplink', 'downlink', 'control'] as const) {
      const body = forge(rootKey(thief.key, purpose), {
        ...{ kind: 'call', sender, receiver: guest(victim.id), bootNonce: victim.boot(), text },
      });
      await send(scene.admin, 'trove.down', `guest.${victim.id}`, body);
    }
  await refused(12);
  expect(victim.effects).not.toContain('restart');
  expect(new Set(scene.reasons)).toEqual(new Set(['pair', 'commitment', 'shape']));
});
