import type { Logger } from '@trove/common';
import type { Role, RpcApi, RpcMethod } from '@trove/contracts';
import type { Bus, Delivery, Subscription, Topology } from '../bus/bus.ts';
import { callContext } from '../codecs/oslo/context.ts';
import { type OsloRequest, parseRequest, writeReply } from '../codecs/oslo/envelope.ts';
import { writeFailure } from '../codecs/oslo/failure.ts';
import { dispatch, type HandlerTable } from './dispatch.ts';
import { hexId, LEGACY_PROPERTIES } from './legacy_caller.ts';
import { type Check, envelopeChecks, type Received, receive } from './pipeline.ts';
import type { OnRefused } from './refusal.ts';
import { findMethod, present } from './sealed_checks.ts';
import type { Outcome } from './sealed_responder.ts';
import type { Caller, RpcServer } from './types.ts';
import { UniqueIds } from './unique_ids.ts';
import { checkArguments } from './validation.ts';

export interface LegacyServerOptions {
  readonly bus: Bus;
  readonly topology: Topology;
  readonly queues: readonly string[];
  readonly slots: number;
  readonly exclusive: boolean;
  /** Who calls here; in clear nobody proves it. */
  readonly role: Role;
  readonly api: RpcApi;
  readonly handlers: HandlerTable;
  readonly logger: Logger;
  readonly onRefused?: OnRefused | undefined;
}

interface LegacyMessage extends Received {
  request?: OsloRequest;
  method?: RpcMethod;
}

/** Answers requests in clear, as oslo.messaging's server does: acknowledged first, then handled. */
export function createLegacyServer(options: LegacyServerOptions): RpcServer {
  const { bus, logger, onRefused } = options;
  const checks = clearChecks(options.api, options.role);
  let subscriptions: Subscription[] = [];

  const onDelivery = async (delivery: Delivery, queue: string): Promise<void> => {
    const message: LegacyMessage = { delivery };
    if (!(await receive(checks, message, { queue, logger, onRefused }))) return;
    delivery.ack();
    const request = present(message.request, 'content');
    const method = present(message.method, 'method');
    const outcome = await dispatch(options.handlers, method, request.args, callerOf(options.role, request), logger);
    await answer(bus, request, outcome);
  };

  return {
    start: async () => {
      await bus.declare(options.topology);
      for (const queue of options.queues) {
        const consumed = { prefetch: options.slots, exclusive: options.exclusive };
        subscriptions.push(await bus.consume(queue, consumed, (delivery) => onDelivery(delivery, queue)));
      }
    },
    close: async () => {
      await Promise.all(subscriptions.map((subscription) => subscription.cancel()));
      subscriptions = [];
    },
  };
}

function clearChecks(api: RpcApi, role: Role): readonly Check<LegacyMessage>[] {
  const ids = new UniqueIds();
  return [
    ...envelopeChecks,
    {
      name: 'content',
      reason: 'content',
      run: (message) => {
        message.claimedSender = role;
        message.request = parseRequest(message.delivery.body);
      },
    },
    {
      name: 'unique id',
      reason: 'duplicate',
      run: (message) => ids.take(role, present(message.request, 'content').uniqueId),
    },
    {
      name: 'method',
      reason: 'method',
      run: (message) => {
        message.method = findMethod(api, present(message.request, 'content').method);
      },
    },
    {
      name: 'arguments',
      reason: 'arguments',
      run: (message) => checkArguments(present(message.method, 'method'), present(message.request, 'content').args),
    },
  ];
}

function callerOf(role: Role, request: OsloRequest): Caller {
  return {
    role,
    messageId: request.uniqueId,
    context: callContext(request.context),
    fence: null,
    idempotencyKey: null,
    expiresMs: null,
    legacy: true,
  };
}

async function answer(bus: Bus, request: OsloRequest, outcome: Outcome): Promise<void> {
  if (request.callId === null || request.replyQueue === null) return;
  const failed = 'error' in outcome;
  const reply = {
    callId: request.callId,
    uniqueId: hexId(),
    result: failed ? null : JSON.parse(JSON.stringify(outcome.result ?? null)),
    failure: failed ? writeFailure(outcome.error) : null,
  };
  await bus.publish({
    exchange: '',
    routingKey: request.replyQueue,
    body: writeReply(reply),
    ...LEGACY_PROPERTIES,
    mandatory: false,
  });
}
