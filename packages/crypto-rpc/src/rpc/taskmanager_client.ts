import { type Clock, systemClock, TroveError } from '@trove/common';
import { type RpcMethod, type TaskmanagerApi, taskmanagerApi } from '@trove/contracts';
import { osloContext } from '../codecs/oslo/context.ts';
import { readFailure } from '../codecs/oslo/failure.ts';
import { ZERO_16 } from '../codecs/v2/header.ts';
import { API, TASKMANAGER } from '../codecs/v2/party.ts';
import type { JsonObject } from '../codecs/v2/strict_json.ts';
import { controlRing, type RootKey } from './control_ring.ts';
import { LegacyCaller } from './legacy_caller.ts';
import { type Limits, SealedCaller, type SealedPeer, type SealedRequestBody } from './sealed_caller.ts';
import { CALL_QUEUE, DOORBELL_QUEUE, SEALED_TOPOLOGY, TASKS_EXCHANGE } from './topology.ts';
import type { CallContext, CallOptions, TaskmanagerClient, TaskmanagerClientOptions } from './types.ts';
import { fits } from './validation.ts';

const CAST_LIFE_MS = 10 * 60 * 1000;
const DEFAULT_TOPIC = 'taskmanager';

/** How one request goes over the wire, sealed or in clear. */
interface Wire {
  call(method: RpcMethod, args: JsonObject, options: CallOptions, limits: Limits): Promise<unknown>;
  cast(method: RpcMethod, args: JsonObject, context: CallContext): Promise<void>;
  close(): Promise<void>;
}

/** The api's side of the control plane: sealed under K1 where its ring has a key, else in clear. */
export function createTaskmanagerClient(options: TaskmanagerClientOptions): TaskmanagerClient {
  const { first } = controlRing(options.controlKeys);
  const wire = first === undefined ? clearWire(options) : sealedWire(options, first);
  return {
    call: async <M extends keyof TaskmanagerApi>(name: M, args: object, callOptions: CallOptions) => {
      const method: TaskmanagerApi[M] = taskmanagerApi[name];
      const result = await wire.call(method, { ...args }, callOptions, limitsOf(callOptions));
      if (!fits(method.result, result))
        throw new TroveError('INTERNAL', 'The taskmanager answered something unexpected.');
      return result as never;
    },
    cast: (name, args, castOptions) => wire.cast(taskmanagerApi[name], { ...args }, castOptions?.context ?? {}),
    close: () => wire.close(),
  };
}

function limitsOf(options: CallOptions): Limits {
  return {
    deadlineMs: options.deadlineMs,
    signal: options.signal,
    timeout: () =>
      new TroveError('RPC_TIMEOUT', 'The taskmanager did not answer in time; whether it was done is not known.', {
        retryable: true,
      }),
    unreachable: (cause) => new TroveError('BUS_UNAVAILABLE', 'No taskmanager is there.', { retryable: true, cause }),
  };
}

function sealedWire(options: TaskmanagerClientOptions, key: RootKey): Wire {
  const { bus, logger, onRefused } = options;
  const clock: Clock = options.clock ?? systemClock;
  const caller = new SealedCaller({
    bus,
    me: API,
    answeredBy: 'tm',
    answeredByRole: 'taskmanager',
    logger,
    clock,
    onRefused,
  });
  const peer = (routingKey: string): SealedPeer => ({
    party: TASKMANAGER,
    ...key,
    bootNonce: ZERO_16,
    exchange: TASKS_EXCHANGE,
    routingKey,
  });
  let declared: Promise<void> | undefined;
  const declare = (): Promise<void> => {
    declared ??= bus.declare(SEALED_TOPOLOGY).catch((error: unknown) => {
      declared = undefined;
      throw error;
    });
    return declared;
  };
  return {
    call: async (method, args, callOptions, limits) => {
      await declare();
      return await caller.call(peer(CALL_QUEUE), body(method, args, callOptions), limits);
    },
    cast: async (method, args, context) => {
      await declare();
      await caller.cast(peer(DOORBELL_QUEUE), body(method, args, { context }), CAST_LIFE_MS);
    },
    close: () => caller.close(),
  };
}

function body(method: RpcMethod, args: JsonObject, options: Partial<CallOptions>): SealedRequestBody {
  return {
    method: method.name,
    version: method.version,
    args,
    context: options.context ?? {},
    fence: options.fence ?? null,
    idempotencyKey: options.idempotencyKey ?? null,
  };
}

function clearWire(options: TaskmanagerClientOptions): Wire {
  const { bus, legacyBus = bus, controlExchange, logger, onRefused } = options;
  const caller = new LegacyCaller({ bus: legacyBus, controlExchange, logger, onRefused });
  const request = (method: RpcMethod, args: JsonObject, context: CallContext) => ({
    topic: options.taskmanagerQueue ?? DEFAULT_TOPIC,
    method: method.name,
    version: method.version,
    args,
    context: osloContext(context),
  });
  const answers = { openResult: <T>(result: T): T => result, readFailure };
  return {
    call: (method, args, { context = {} }, limits) => caller.call(request(method, args, context), answers, limits),
    cast: (method, args, context) => caller.cast(request(method, args, context)),
    close: () => caller.close(),
  };
}
