import { randomBytes } from 'node:crypto';
import { newUuid } from '@trove/common';
import { guestAccount } from '@trove/crypto-rpc';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { API, CONDUCTOR, type Forgery, forge, guest, rootKey, TASKMANAGER } from './forge.ts';
import { type Guest, openScene, type Scene, send, settled, until } from './scene.ts';

let scene: Scene;
let own: Guest;
let victim: Guest;
/** All that these tests sent: what stands in the tap beside it, somebody said. */
const sent: Buffer[] = [];
let sequence = 5000n;
beforeAll(async () => {
  scene = await openScene();
  [own, victim] = [await scene.guest(), await scene.guest()];
  await scene.createDatabase(own.id, 'first');
  await settled();
});
afterAll(() => scene.dispose(), 60_000);
beforeEach(() => {
  scene.reasons.length = 0;
});

interface Bad {
  readonly reason: string;
  readonly exchange: string;
  readonly routingKey: string;
  /** That it is taken from. */
  readonly queue: string;
  readonly body: () => Buffer | Promise<Buffer>;
  readonly options?: { CC?: string[]; userId?: string; contentType?: string };
}

const HEARTBEAT = (id: string, payload: unknown = { service_status: 'shutdown' }): string =>
  JSON.stringify({ m: 'heartbeat', v: '1.0', a: { instance_id: id, payload } });
const RESTART = JSON.stringify({ m: 'restart', v: '1.0', a: {}, q: '0'.repeat(16) });

function report(text: string, more: Partial<Forgery> = {}, key = own.key): Buffer {
  sequence += 1n;
  return forge(rootKey(key, 'uplink'), {
    ...{ kind: 'report', sender: guest(own.id), receiver: CONDUCTOR, text, sequence, bootNonce: own.boot() },
    ...more,
  });
}

const call = (more: Partial<Forgery> = {}, purpose: 'uplink' | 'downlink' = 'downlink'): Buffer =>
  forge(rootKey(own.key, purpose), {
    ...{ kind: 'call', sender: TASKMANAGER, receiver: guest(own.id), bootNonce: own.boot(), text: RESTART },
    ...more,
  });

function changed(body: Buffer, at: number): Buffer {
  const copy = Buffer.from(body);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

const toConductor = (reason: string, body: Bad['body'], options: Bad['options'] = {}): Bad => ({
  ...{ reason, body, options: { userId: guestAccount(own.id), ...options } },
  ...{ exchange: 'trove.up', routingKey: `ev.${own.id}`, queue: 'conductor.ev' },
});
const byTheBroker = (reason: string, body: Bad['body']): Bad => ({ ...toConductor(reason, body), options: {} });
const toGuest = (reason: string, body: Bad['body']): Bad => ({
  ...{ reason, body, exchange: 'trove.down', routingKey: `guest.${own.id}`, queue: `guest.${own.id}` },
});
const toTaskmanager = (reason: string, body: Bad['body']): Bad => ({
  ...{ reason, body, exchange: 'trove.tasks', routingKey: 'taskmanager.calls', queue: 'taskmanager.calls' },
});

/** A command to the guest that was done just now: an older one may have expired, which is another reason. */
async function doneNow(): Promise<Buffer> {
  await scene.createDatabase(own.id, 'again');
  await settled();
  const done = scene.recorded.findLast(({ routingKey }) => routingKey === `guest.${own.id}`);
  if (done === undefined) throw new Error('nothing was recorded');
  return done.body;
}

/** One of each kind that a stranger, a guest or the broker's owner can send. */
function badMessages(): readonly Bad[] {
  const stranger = newUuid();
  return [
    toConductor('size', () => Buffer.alloc((1 << 20) + 1)),
    toConductor('copied_route', () => report(HEARTBEAT(own.id)), { CC: [`ev.${own.id}`] }),
    toConductor('shape', () => Buffer.alloc(226)),
    toConductor('receiver', () => report(HEARTBEAT(own.id), { receiver: TASKMANAGER })),
    toConductor('pair', () => report(HEARTBEAT(own.id), { kind: 'call', sequence: 0n })),
    toConductor('user_id', () => report(HEARTBEAT(victim.id), { sender: guest(victim.id) })),
    byTheBroker('unknown_sender', () => report(HEARTBEAT(stranger), { sender: guest(stranger) })),
    toConductor('key_version', () => changed(report(HEARTBEAT(own.id)), 8)),
    toConductor('commitment', () => report(HEARTBEAT(own.id), {}, victim.key)),
    toConductor('open', () => changed(report(HEARTBEAT(own.id)), 300)),
    toConductor('content', () => report('null')),
    toConductor('expiry', () => report(HEARTBEAT(own.id), { livesMs: 3_600_000 })),
    toConductor('method', () => report(JSON.stringify({ m: 'toString', v: '1.0', a: {} }))),
    toConductor('arguments', () => report(HEARTBEAT(own.id, 1))),
    toConductor('foreign_id', () => report(HEARTBEAT(victim.id))),
    toGuest('size', () => Buffer.alloc((1 << 20) + 1)),
    toGuest('shape', () => Buffer.from('{}')),
    toGuest('receiver', () => call({ receiver: guest(victim.id) })),
    toGuest('pair', () => call({ sender: API })),
    toGuest('key_version', () => changed(call(), 8)),
    toGuest('commitment', () => call({}, 'uplink')),
    toGuest('open', () => changed(call(), 300)),
    toGuest('boot_nonce', () => call({ bootNonce: Buffer.alloc(16) })),
    toGuest('expiry', () => call({ livesMs: 24 * 3_600_000 })),
    toGuest('method', () => call({ text: RESTART.replace('restart', 'valueOf') })),
    toGuest('arguments', () => call({ text: RESTART.replace('"a":{}', '"a":{"x":1}') })),
    toGuest('duplicate', doneNow),
    toTaskmanager('shape', () => randomBytes(300)),
    toTaskmanager('receiver', () => call({ sender: API })),
    toTaskmanager('pair', () => call({ sender: guest(own.id), receiver: TASKMANAGER })),
    toTaskmanager('key_version', () => call({ sender: API, receiver: TASKMANAGER, bootNonce: Buffer.alloc(16) })),
  ];
}

/** All that shows of a message that was sent: what anybody says afterwards, and what stands in the queues. */
async function seenOf({ exchange, routingKey, queue, body, options }: Bad): Promise<unknown> {
  const bytes = await body();
  const from = scene.recorded.length;
  sent.push(bytes);
  const sender = options?.userId === undefined ? scene.admin : own.plain;
  await send(sender, exchange, routingKey, bytes, options);
  await until(() => scene.reasons.length > 0);
  await settled(30);
  // The tap may be slower than whoever refused: the copy of an earlier message is no answer.
  const said = scene.recorded.slice(from).filter((message) => !sent.some((one) => one.equals(message.body)));
  const taken = await scene.admin.checkQueue(queue);
  const dead = await scene.admin.checkQueue('trove.dead');
  return { said, left: taken.messageCount, consumers: taken.consumerCount, dead: dead.messageCount };
}

describe('A27: a refusal tells nobody why', () => {
  test('whatever was wrong, nothing is answered, nothing is left, nobody goes away: one sight for all reasons', async () => {
    const [wanted, sights, reasons]: [unknown[], unknown[], string[]] = [[], [], []];
    for (const bad of badMessages()) {
      const what = `${bad.reason} at ${bad.queue}`;
      scene.reasons.length = 0;
      sights.push([what, await seenOf(bad)]);
      wanted.push([what, { said: [], left: 0, consumers: 1, dead: 0 }]);
      reasons.push(`${scene.reasons.join()} at ${bad.queue}`);
    }
    expect(reasons).toEqual(badMessages().map(({ reason, queue }) => `${reason} at ${queue}`));
    expect(sights).toEqual(wanted);
    expect(new Set(badMessages().map(({ reason }) => reason)).size).toBe(17);
    expect(own.effects).toEqual(['create first', 'create again']);
  });

  test('a made-up answer is not answered either, and its caller learns nothing of it', async () => {
    const from = scene.recorded.length;
    const queue = scene.recorded
      .findLast(({ routingKey }) => routingKey.startsWith('r.') && !routingKey.endsWith('.tm'))
      ?.routingKey.split('.')[1];
    const answers = [
      { requestId: randomBytes(16), sender: guest(own.id) },
      { requestId: randomBytes(16), sender: guest(victim.id) },
    ].map((more) => call({ kind: 'reply', receiver: TASKMANAGER, text: '{"r":1}', ...more }));
    sent.push(...answers);
    for (const answer of answers) {
      const before = scene.reasons.length;
      await send(own.plain, 'trove.reply', `r.${queue}.${own.id}`, answer, { userId: guestAccount(own.id) });
      await until(() => scene.reasons.length > before);
    }
    await settled();
    const said = scene.recorded.slice(from).filter(({ body }) => !sent.some((one) => one.equals(body)));
    expect([said, scene.reasons.toSorted()]).toEqual([[], ['unknown_call', 'user_id']]);
  });

  test('after all of it each of them does what it is rightly asked', async () => {
    await scene.createDatabase(own.id, 'second');
    const before = (await scene.report(own.id))?.sequence;
    await own.heartbeat();
    await until(async () => (await scene.report(own.id))?.sequence !== before);
    expect(own.effects).toEqual(['create first', 'create again', 'create second']);
  });
});
