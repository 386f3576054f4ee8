import { expect, test } from 'vitest';
import { logger } from '../../test/fixtures.ts';
import type { Delivery } from '../bus/bus.ts';
import { createOpener } from '../codecs/v2/open.ts';
import { TASKMANAGER } from '../codecs/v2/party.ts';
import { receive, runChecks } from './pipeline.ts';
import { Refusal } from './refusal.ts';
import { openingChecks, requestChecks } from './sealed_checks.ts';

function delivery(body: Buffer): Delivery & { acked: number } {
  const made = {
    exchange: 'x',
    routingKey: 'k',
    body,
    contentType: undefined,
    headers: {},
    messageId: undefined,
    userId: undefined,
    redelivered: false,
    acked: 0,
    ack: () => {
      made.acked += 1;
    },
    reject: () => {
      throw new Error('a refused message is never dead-lettered');
    },
    requeue: () => {
      throw new Error('a refused message never comes again');
    },
  };
  return made;
}

test('the checks stand in one order, each cheaper than the next', () => {
  const opening = openingChecks({ me: TASKMANAGER, allowed: [], findSender: () => undefined, opener: createOpener() });
  expect([...opening, ...requestChecks({}, () => {})].map(({ name }) => name)).toEqual([
    'size',
    'copied_route',
    'header shape',
    'for me',
    'pair and kind',
    'no other account',
    'own account and policy',
    'key version',
    'commitment',
    'open',
    'content',
    'boot nonce',
    'time and replay',
    'method',
    'arguments',
    'own ids',
  ]);
});

test('a check that throws anything refuses the message under its own reason, and no later one runs', async () => {
  const ran: string[] = [];
  const checks = [
    { name: 'a', reason: 'shape', run: () => void ran.push('a') },
    { name: 'b', reason: 'policy', run: () => Promise.reject(new TypeError('the catalog is gone')) },
    { name: 'c', reason: 'open', run: () => void ran.push('c') },
  ] as const;
  await expect(runChecks(checks, {})).rejects.toMatchObject({ name: 'Refusal', reason: 'policy' });
  expect(ran).toEqual(['a']);
  const thrower = {
    name: 'd',
    reason: 'size',
    run: () => {
      throw new Refusal('receiver');
    },
  } as const;
  await expect(runChecks([thrower], {})).rejects.toMatchObject({ reason: 'receiver' });
});

test('a refused message is acknowledged and counted, with what it claims and how large it is', async () => {
  const message = { delivery: delivery(Buffer.alloc(700)) };
  const counted: unknown[] = [];
  const checks = openingChecks({ me: TASKMANAGER, allowed: [], findSender: () => undefined, opener: createOpener() });
  const around = { queue: 'q', logger, onRefused: (...facts: unknown[]) => void counted.push(facts) };
  expect(await receive(checks, message, around)).toBe(false);
  expect(counted).toEqual([['shape', { queue: 'q', bytes: 700 }]]);
  expect(message.delivery.acked).toBe(1);
});
