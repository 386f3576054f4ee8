import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '@trove/common';
import { conductorApi, guestApi } from '@trove/contracts';
import { osloContext } from '../codecs/oslo/context.ts';
import { writeRequest } from '../codecs/oslo/envelope.ts';
import type { Json, JsonObject } from '../codecs/v2/strict_json.ts';
import type { HandlerTable } from './dispatch.ts';
import { hexId, LEGACY_PROPERTIES } from './legacy_caller.ts';
import { createLegacyServer } from './legacy_server.ts';
import { legacyGuestTopic, legacyTopology } from './topology.ts';
import type { GuestServer, GuestServerOptions } from './types.ts';

const REQUESTS_AT_A_TIME = 10;
const DEFAULT_CONDUCTOR_QUEUE = 'trove-conductor';
/** What v2 guests report beside Trove's members. */
const OURS = new Set(['volume_used', 'volume_total']);
/** Trove's stale rule orders these by the time of sending. */
const DATED = new Set(['heartbeat', 'update_backup']);

/** An agent without a key: to anyone on the bus it is one of Trove's. */
export function createClearGuestServer(options: GuestServerOptions): GuestServer {
  const { bus, instanceId, controlExchange, logger, onRefused } = options;
  const clock = options.clock ?? systemClock;
  const topic = legacyGuestTopic(instanceId);
  const { hello: _hello, rotate_key: _rotate, ...offered } = guestApi;
  const handlers: HandlerTable = options.handlers;
  const server = createLegacyServer({
    bus,
    topology: legacyTopology(controlExchange, topic, instanceId),
    queues: [topic, `${topic}.${instanceId}`],
    slots: REQUESTS_AT_A_TIME,
    exclusive: false,
    role: 'taskmanager',
    api: offered,
    handlers,
    logger,
    onRefused,
  });
  return {
    bootNonce: randomBytes(16),
    start: () => server.start(),
    close: () => server.close(),
    report: async (name, args) => {
      const members: JsonObject = { ...args };
      await bus.publish({
        exchange: controlExchange,
        routingKey: options.conductorQueue ?? DEFAULT_CONDUCTOR_QUEUE,
        body: writeRequest({
          method: name,
          args: asTrovesGuests(name, members, clock),
          version: conductorApi[name].version,
          uniqueId: hexId(),
          context: osloContext({}),
          callId: null,
          replyQueue: null,
        }),
        ...LEGACY_PROPERTIES,
        mandatory: true,
      });
    },
  };
}

function asTrovesGuests(method: string, args: JsonObject, clock: Clock): JsonObject {
  const { sent, payload, ...rest } = args;
  const reduced = payload === undefined ? {} : { payload: withoutOurs(payload) };
  const dated = DATED.has(method) ? { sent: sent ?? clock.now() / 1000 } : {};
  return { ...rest, ...reduced, ...dated };
}

function withoutOurs(payload: Json): Json {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) return payload;
  return Object.fromEntries(Object.entries(payload).filter(([name]) => !OURS.has(name)));
}
