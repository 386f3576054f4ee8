import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { API, forge, guest, rootKey, TASKMANAGER } from './forge.ts';
import { type Guest, openScene, type Recorded, type Scene, send, settled, until } from './scene.ts';

let scene: Scene;
let one: Guest;
let other: Guest;
/** What was said before the first attack. */
let genuine: Recorded[];

beforeAll(async () => {
  scene = await openScene();
  [one, other] = [await scene.guest(), await scene.guest()];
  await scene.createDatabase(one.id, 'first');
  await scene.createDatabase(other.id, 'second');
  await settled();
  genuine = [...scene.recorded];
});
afterAll(() => scene.dispose(), 60_000);
beforeEach(() => {
  scene.reasons.length = 0;
});

const refused = (count: number): Promise<void> => until(() => scene.reasons.length >= count);
const to = (guestId: string): Recorded[] => genuine.filter(({ routingKey }) => routingKey === `guest.${guestId}`);
const again = ({ exchange, routingKey, body, contentType }: Recorded): Promise<void> =>
  send(scene.admin, exchange, routingKey, body, { contentType });

/** The last command to this guest that changed something. */
function command(guestId: string): Recorded {
  const found = to(guestId).at(-1);
  if (found === undefined) throw new Error('nothing was recorded');
  return found;
}

const clear = (method: string, args: object, more: object = {}): Buffer =>
  Buffer.from(
    JSON.stringify({
      'oslo.version': '2.0',
      'oslo.message': JSON.stringify({
        method,
        args,
        version: '1.0',
        _unique_id: randomBytes(16).toString('hex'),
        ...more,
      }),
    }),
  );

test('A1: clear text reaches a guest with a key in no way, nor is one heard', async () => {
  const effects = [...one.effects];
  const before = await scene.report(one.id);
  const wipe = clear('restart', {}, { _msg_id: 'a'.repeat(32), _reply_q: 'reply_x' });
  await send(scene.admin, 'trove.down', `guest.${one.id}`, wipe, { contentType: 'application/json' });
  const args = { instance_id: one.id, payload: { service_status: 'shutdown' }, sent: Date.now() / 1000 };
  for (const text of [clear('heartbeat', args), clear('heartbeat', args, { '_context_csz-instance-id': one.id })]) {
    await send(scene.admin, 'trove', 'trove-conductor', text, { contentType: 'application/json' });
    await send(scene.admin, 'trove.up', `ev.${one.id}`, text, { contentType: 'application/json' });
  }
  await refused(5);
  expect(scene.reasons.toSorted()).toEqual(['policy', 'policy', 'shape', 'shape', 'shape']);
  expect([one.effects, await scene.report(one.id)]).toEqual([effects, before]);
});

test('A2: recorded heartbeats, in any order and however often, move nothing', async () => {
  for (let count = 0; count < 20; count += 1) await one.heartbeat();
  await settled();
  const beats = scene.recorded.filter(({ routingKey }) => routingKey === `hb.${one.id[0]}.${one.id}`);
  const before = await scene.report(one.id);
  for (let round = 0; round < 10; round += 1)
    for (const beat of beats.toSorted(() => randomBytes(1).readInt8())) await again(beat);
  await settled(600);
  expect(beats.length).toBeGreaterThan(20);
  expect(await scene.report(one.id)).toEqual(before);
});

test('A3: a recorded command a hundred times is done once, and a recorded call to the taskmanager too', async () => {
  const asked = command(one.id);
  for (let count = 0; count < 100; count += 1) await again(asked);
  await refused(100);
  expect(new Set(scene.reasons.splice(0))).toEqual(new Set(['duplicate']));
  const calls = genuine.filter(({ exchange }) => exchange === 'trove.tasks');
  for (const call of calls) await again(call);
  await refused(calls.length);
  expect(new Set(scene.reasons)).toEqual(new Set(['duplicate']));
  expect([one.effects, other.effects]).toEqual([['create first'], ['create second']]);
});

test('A5: no message passes for one to another receiver, or back', async () => {
  const effects = [[...one.effects], [...other.effects]];
  const messages = [...new Map(genuine.map((each) => [each.routingKey, each])).values()];
  const places = [...messages.map(({ exchange, routingKey }) => ({ exchange, routingKey }))];
  let sent = 0;
  for (const message of messages)
    for (const place of places.filter(({ exchange }) => exchange !== message.exchange)) {
      await send(scene.admin, place.exchange, place.routingKey, message.body);
      sent += 1;
    }
  await refused(sent);
  expect(scene.reasons.filter((reason) => reason !== 'receiver' && reason !== 'pair')).toEqual([]);
  expect([one.effects, other.effects]).toEqual(effects);
});

test('A6: no part of one message can be put into another', async () => {
  const [asked, greeted] = [command(one.id), to(one.id)[0]];
  const foreign = command(other.id);
  const bodies: Buffer[] = [];
  for (const from of [greeted, foreign])
    for (const [start, end] of [
      [0, 210],
      [46, 62],
      [94, 110],
      [118, 130],
      [130, 206],
      [210, 330],
      [330, 482],
    ] as const) {
      const body = Buffer.from(asked.body);
      from?.body.copy(body, Math.min(start, body.length), Math.min(start, from.body.length), end);
      if (!body.equals(asked.body) && !(from !== undefined && body.equals(from.body))) bodies.push(body);
    }
  for (const body of bodies) await send(scene.admin, 'trove.down', `guest.${one.id}`, body);
  await refused(bodies.length);
  expect(bodies.length).toBeGreaterThan(9);
  expect(one.effects).toEqual(['create first']);
});

test('A7: no bent, cut or grown message opens', async () => {
  const { body } = command(one.id);
  const bodies = [body.subarray(0, -1), body.subarray(0, -12), Buffer.concat([body, Buffer.alloc(1)])];
  for (let bit = 0; bit < body.length * 8; bit += 13) {
    const bent = Buffer.from(body);
    bent[bit >> 3] = (bent[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    bodies.push(bent);
  }
  for (let at = 0; at < bodies.length; at += 100) {
    await Promise.all(
      bodies.slice(at, at + 100).map((bent) => send(scene.admin, 'trove.down', `guest.${one.id}`, bent)),
    );
    await refused(Math.min(at + 100, bodies.length));
  }
  expect(scene.reasons).not.toContain('duplicate');
  expect(one.effects).toEqual(['create first']);
});

test('A41: messages have few lengths, and no word of theirs is seen', async () => {
  const lengths = new Set(genuine.map(({ body }) => body.length - 226));
  expect([...lengths].every((length) => [256, 1024, 4096].includes(length))).toBe(true);
  const said = genuine.map(({ body }) => body.toString('latin1')).join();
  for (const word of ['create_database', 'heartbeat', 'healthy', 'first', 'second']) expect(said).not.toContain(word);
});

test('A45: the uplink key, which is all that a conductor has, commands no guest', async () => {
  for (const sender of [TASKMANAGER, API, guest(other.id)]) {
    const body = forge(rootKey(one.key, 'uplink'), {
      ...{ kind: 'call', sender, receiver: guest(one.id), bootNonce: one.boot() },
      text: JSON.stringify({ m: 'restart', v: '1.0', a: {}, q: '0'.repeat(16) }),
    });
    await send(scene.admin, 'trove.down', `guest.${one.id}`, body);
  }
  await refused(3);
  expect(scene.reasons.toSorted()).toEqual(['commitment', 'pair', 'shape']);
  expect(one.effects).toEqual(['create first']);
});

test('A4: a guest that started anew does nothing of what its earlier boot was asked', async () => {
  const commands = to(one.id);
  await one.restart();
  for (const asked of commands) await again(asked);
  await settled(600);
  expect(one.effects).toEqual(['create first']);
  await scene.createDatabase(one.id, 'third');
  expect(one.effects).toEqual(['create first', 'create third']);
});

test('A8: two rows whose keys changed places are asked nothing', async () => {
  const { knex } = scene.catalog;
  const keyOf = async (id: string): Promise<string> =>
    (await knex('instances').where({ id }).first('encrypted_key'))?.encrypted_key;
  const [ours, theirs] = [await keyOf(one.id), await keyOf(other.id)];
  await knex('instances').where({ id: one.id }).update({ encrypted_key: theirs });
  await knex('instances').where({ id: other.id }).update({ encrypted_key: ours });
  await settled(5200);
  const sent = scene.recorded.length;
  await expect(scene.createDatabase(one.id, 'stolen')).rejects.toThrow();
  expect(scene.recorded.slice(sent).filter(({ exchange }) => exchange === 'trove.down')).toEqual([]);
  await knex('instances').where({ id: one.id }).update({ encrypted_key: ours });
  await knex('instances').where({ id: other.id }).update({ encrypted_key: theirs });
});

test('A25: a policy that somebody lowered in the catalog opens no way in clear', async () => {
  const { knex } = scene.catalog;
  await knex('instances').where({ id: one.id }).update({ rpc_policy: 0 });
  await settled(5200);
  scene.reasons.length = 0;
  const [sent, before] = [scene.recorded.length, await scene.report(one.id)];
  await expect(scene.createDatabase(one.id, 'in clear')).rejects.toThrow();
  expect(scene.recorded.slice(sent).filter(({ exchange }) => exchange === 'trove.down')).toEqual([]);
  const args = { instance_id: one.id, payload: { service_status: 'shutdown' }, sent: Date.now() / 1000 };
  await send(scene.admin, 'trove', 'trove-conductor', clear('heartbeat', args), { contentType: 'application/json' });
  await refused(1);
  expect(scene.reasons).not.toEqual([]);
  expect(await scene.report(one.id)).toEqual(before);
  await knex('instances').where({ id: one.id }).update({ rpc_policy: 2 });
});
