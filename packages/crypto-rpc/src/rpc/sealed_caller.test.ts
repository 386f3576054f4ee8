import { randomBytes } from 'node:crypto';
import { sha256, systemClock, TroveError } from '@trove/common';
import { expect, test } from 'vitest';
import { logger, refusals } from '../../test/fixtures.ts';
import type { Delivery } from '../bus/bus.ts';
import { createMemoryBroker } from '../bus/memory_broker.ts';
import { type Header, type HeaderFields, parseHeader, ZERO_16 } from '../codecs/v2/header.ts';
import { createOpener } from '../codecs/v2/open.ts';
import { guestParty, TASKMANAGER } from '../codecs/v2/party.ts';
import { errorText, parseRequest, replyText } from '../codecs/v2/payload.ts';
import { createSealer } from '../codecs/v2/seal.ts';
import { downlinkKey } from '../keys/derive.ts';
import { SealedCaller, type SealedPeer } from './sealed_caller.ts';
import { DOWN_EXCHANGE, guestQueue, guestTopology, REPLY_EXCHANGE, replyKey, SEALED_TOPOLOGY } from './topology.ts';

const INSTANCE = '792fa220-2a40-4831-85af-cfb0ded8033c';
const OTHER = '514ef051-0bf7-48a5-adcf-071d4a6625fb';
const rootKey = downlinkKey('the key');
const otherKey = downlinkKey('another key');
const peer: SealedPeer = {
  party: guestParty(INSTANCE),
  rootKey,
  keyVersion: 1,
  bootNonce: randomBytes(16),
  exchange: DOWN_EXCHANGE,
  routingKey: guestQueue(INSTANCE),
};
const question = { method: 'restart', version: '1.0', args: {}, context: {}, fence: null, idempotencyKey: null };

type Forge = (seal: (more: Partial<HeaderFields>, text?: string, key?: Buffer) => Buffer, request: Header) => Buffer[];

/** A caller, and a guest that answers a request with whatever bytes `forge` makes. */
async function asked(forge: Forge): Promise<{ answer: Promise<unknown>; reasons: string[]; end: () => Promise<void> }> {
  const bus = createMemoryBroker().bus();
  await bus.declare(SEALED_TOPOLOGY);
  await bus.declare(guestTopology(INSTANCE));
  const { reasons, onRefused } = refusals();
  const caller = new SealedCaller({
    bus,
    me: TASKMANAGER,
    answeredBy: '*',
    answeredByRole: 'guest',
    logger,
    clock: systemClock,
    onRefused,
  });
  const sealer = createSealer(() => 0);
  const onRequest = async (delivery: Delivery): Promise<void> => {
    delivery.ack();
    const request = parseHeader(delivery.body);
    const opener = createOpener();
    const { replyQueue } = parseRequest(opener.open(rootKey, request, opener.commit(rootKey, request)));
    const right: HeaderFields = {
      kind: 'reply',
      keyVersion: 1,
      sender: guestParty(INSTANCE),
      receiver: TASKMANAGER,
      messageId: randomBytes(16),
      requestId: request.messageId,
      requestHash: sha256(delivery.body).subarray(0, 16),
      bootNonce: randomBytes(16),
      sequence: 0n,
      issued: Date.now(),
      expires: Date.now() + 1000,
    };
    const seal = (more: Partial<HeaderFields>, text = replyText('forged'), key = rootKey): Buffer =>
      sealer.seal(key, { ...right, ...more }, text);
    for (const body of forge(seal, request)) {
      const routingKey = replyKey(replyQueue ?? '', INSTANCE);
      await bus.publish({
        exchange: REPLY_EXCHANGE,
        routingKey,
        body,
        contentType: 'x',
        persistent: false,
        mandatory: true,
      });
    }
  };
  await bus.consume(guestQueue(INSTANCE), { prefetch: 1 }, onRequest);
  const answer = caller.call(peer, question, {
    deadlineMs: 2000,
    timeout: () => new TroveError('GUEST_TIMEOUT', 'silent'),
    unreachable: () => new TroveError('GUEST_TIMEOUT', 'nobody'),
  });
  const end = async (): Promise<void> => {
    await caller.close();
    await bus.close();
  };
  return { answer, reasons, end };
}

test('a reply that does not open is dropped and its call stays pending until the right one comes', async () => {
  const { answer, reasons, end } = await asked((seal) => {
    const bent = seal({});
    bent[300] = (bent[300] ?? 0) ^ 1;
    return [
      Buffer.from('{"r":null}'),
      seal({ requestId: randomBytes(16) }),
      seal({ requestHash: randomBytes(16) }),
      seal({ sender: guestParty(OTHER) }),
      seal({ receiver: guestParty(OTHER), sender: TASKMANAGER }),
      seal({ keyVersion: 2 }),
      seal({}, undefined, otherKey),
      bent,
      seal({}, '{"r":1,"r":2}'),
      seal({ kind: 'error' }, '{"e":{"code":"NO_SUCH_CODE","message":"","retryable":false}}'),
      seal({}, replyText('right')),
    ];
  });
  expect(await answer).toBe('right');
  expect(reasons).toEqual([
    'shape',
    'unknown_call',
    'request_binding',
    'request_binding',
    'receiver',
    'key_version',
    'commitment',
    'open',
    'content',
    'content',
  ]);
  await end();
});

test('an answer to another request of the same guest, even one under the right key, is none to this one', async () => {
  const { answer, reasons, end } = await asked((seal, request) => [
    seal({ requestHash: sha256(Buffer.concat([request.envelope, Buffer.from('x')])).subarray(0, 16) }),
  ]);
  await expect(answer).rejects.toMatchObject({ code: 'GUEST_TIMEOUT', message: 'silent' });
  expect(reasons).toEqual(['request_binding']);
  await end();
});

test('a second answer finds nobody waiting', async () => {
  const { answer, reasons, end } = await asked((seal) => [
    seal({ kind: 'error' }, errorText(new TroveError('ALREADY_DONE', 'done'))),
    seal({}),
  ]);
  await expect(answer).rejects.toMatchObject({ code: 'ALREADY_DONE' });
  await expect.poll(() => reasons).toEqual(['unknown_call']);
  await end();
});

test('a request without an answer to come expects none: zero ids are refused by shape', async () => {
  const { answer, reasons, end } = await asked((seal) => [seal({ requestId: ZERO_16 }), seal({}, replyText(1))]);
  expect(await answer).toBe(1);
  expect(reasons).toEqual(['shape']);
  await end();
});
