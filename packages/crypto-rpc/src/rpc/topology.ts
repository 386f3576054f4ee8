import type { ExchangeSpec, Topology } from '../bus/bus.ts';

/** Exchanges, queues and routing keys of v2 peers, and of Trove's own in clear. @module */

export const TASKS_EXCHANGE = 'trove.tasks';
export const DOWN_EXCHANGE = 'trove.down';
export const UP_EXCHANGE = 'trove.up';
export const REPLY_EXCHANGE = 'trove.reply';
const DEAD_EXCHANGE = 'trove.dead';

export const DOORBELL_QUEUE = 'taskmanager.tasks';
export const CALL_QUEUE = 'taskmanager.calls';
export const EVENT_QUEUE = 'conductor.ev';
/** By the first hex digit of the instance id. */
export const HEARTBEAT_QUEUES: readonly string[] = [...'0123456789abcdef'].map((digit) => `conductor.hb.${digit}`);

const GUEST_QUEUE_LENGTH = 200;
const HEARTBEAT_TTL_MS = 90_000;
const CALL_TTL_MS = 600_000;
const DELIVERY_LIMIT = 5;

const downExchange: ExchangeSpec = { name: DOWN_EXCHANGE, type: 'direct', durable: true };

const exchanges: readonly ExchangeSpec[] = [
  { name: TASKS_EXCHANGE, type: 'direct', durable: true },
  downExchange,
  { name: UP_EXCHANGE, type: 'topic', durable: true },
  { name: REPLY_EXCHANGE, type: 'topic', durable: true },
  { name: DEAD_EXCHANGE, type: 'direct', durable: true },
];

const durableWork = {
  'x-queue-type': 'quorum',
  'x-delivery-limit': DELIVERY_LIMIT,
  'x-dead-letter-exchange': DEAD_EXCHANGE,
  'x-dead-letter-routing-key': DEAD_EXCHANGE,
} as const;

const deadLetters: Topology = {
  queues: [
    {
      name: DEAD_EXCHANGE,
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-delivery-limit': DELIVERY_LIMIT,
        'x-max-length': 10_000,
        'x-overflow': 'drop-head',
      },
    },
  ],
  bindings: [{ exchange: DEAD_EXCHANGE, queue: DEAD_EXCHANGE, routingKey: DEAD_EXCHANGE }],
};

const taskmanagerQueues: Topology = {
  queues: [
    {
      name: DOORBELL_QUEUE,
      durable: true,
      arguments: { ...durableWork, 'x-max-length': 100_000, 'x-overflow': 'reject-publish' },
    },
    {
      name: CALL_QUEUE,
      durable: true,
      arguments: { 'x-max-length': 10_000, 'x-overflow': 'reject-publish', 'x-message-ttl': CALL_TTL_MS },
    },
  ],
  bindings: [
    { exchange: TASKS_EXCHANGE, queue: DOORBELL_QUEUE, routingKey: DOORBELL_QUEUE },
    { exchange: TASKS_EXCHANGE, queue: CALL_QUEUE, routingKey: CALL_QUEUE },
  ],
};

const conductorQueues: Topology = {
  queues: [
    { name: EVENT_QUEUE, durable: true, arguments: durableWork },
    ...HEARTBEAT_QUEUES.map((name) => ({
      name,
      durable: true,
      arguments: { 'x-message-ttl': HEARTBEAT_TTL_MS, 'x-max-length': 50_000, 'x-overflow': 'drop-head' },
    })),
  ],
  bindings: [
    { exchange: UP_EXCHANGE, queue: EVENT_QUEUE, routingKey: 'ev.*' },
    ...HEARTBEAT_QUEUES.map((queue) => ({
      exchange: UP_EXCHANGE,
      queue,
      routingKey: `${queue.replace('conductor.', '')}.*`,
    })),
  ],
};

/** Everything of v2 that belongs to no single guest. Each service may make it; it is the same for all. */
export const SEALED_TOPOLOGY: Topology = {
  exchanges,
  queues: [deadLetters, taskmanagerQueues, conductorQueues].flatMap((part) => part.queues ?? []),
  bindings: [deadLetters, taskmanagerQueues, conductorQueues].flatMap((part) => part.bindings ?? []),
};

export function guestQueue(instanceId: string): string {
  return `guest.${instanceId}`;
}

/** A guest's own queue. The catalog's journal is the durable copy, so it is classic, bounded and refuses when full. */
export function guestTopology(instanceId: string): Topology {
  const name = guestQueue(instanceId);
  return {
    exchanges: [downExchange],
    queues: [
      {
        name,
        durable: true,
        arguments: { 'x-max-length': GUEST_QUEUE_LENGTH, 'x-overflow': 'reject-publish', 'x-message-ttl': CALL_TTL_MS },
      },
    ],
    bindings: [{ exchange: DOWN_EXCHANGE, queue: name, routingKey: name }],
  };
}

export function heartbeatKey(instanceId: string): string {
  return `hb.${instanceId.slice(0, 1)}.${instanceId}`;
}

export function eventKey(instanceId: string): string {
  return `ev.${instanceId}`;
}

/** `who`: `tm` for a taskmanager, else the guest's id. */
export function replyKey(replyQueue: string, who: string): string {
  return `r.${replyQueue}.${who}`;
}

/** A caller's reply queue of this connection; `who` is `*` for a taskmanager, which asks many guests, else `tm`. */
export function replyTopology(replyQueue: string, who: string): Topology {
  const name = `reply.${replyQueue}`;
  return {
    exchanges,
    queues: [{ name, durable: false, exclusive: true, autoDelete: true }],
    bindings: [{ exchange: REPLY_EXCHANGE, queue: name, routingKey: replyKey(replyQueue, who) }],
  };
}

export function legacyGuestTopic(instanceId: string): string {
  return `guestagent.${instanceId}`;
}

/** A server's queues as oslo.messaging makes them: by topic, and by topic and server; bound by their own names. */
export function legacyTopology(controlExchange: string, topic: string, server: string): Topology {
  const names = [topic, `${topic}.${server}`];
  return {
    exchanges: [{ name: controlExchange, type: 'topic', durable: false }],
    queues: names.map((name) => ({ name, durable: false })),
    bindings: names.map((name) => ({ exchange: controlExchange, queue: name, routingKey: name })),
  };
}

/** A service's queues, and the fanout exchange beside them that oslo.messaging makes for each topic. */
export function legacyServiceTopology(controlExchange: string, topic: string, server: string): Topology {
  const { exchanges: own = [], ...rest } = legacyTopology(controlExchange, topic, server);
  return { exchanges: [...own, { name: `${topic}_fanout`, type: 'fanout', durable: false }], ...rest };
}

/** The queue to which a legacy answer goes through the default exchange; oslo.messaging names it so. */
export function legacyReplyTopology(name: string): Topology {
  return { queues: [{ name, durable: false, exclusive: true, autoDelete: true }] };
}
