import { systemClock, toTroveError } from '@trove/common';
import { type RpcMethod, taskmanagerApi } from '@trove/contracts';
import type { Delivery, Subscription } from '../bus/bus.ts';
import { ZERO_16 } from '../codecs/v2/header.ts';
import { createOpener } from '../codecs/v2/open.ts';
import { TASKMANAGER } from '../codecs/v2/party.ts';
import type { Request } from '../codecs/v2/payload.ts';
import { createSealer } from '../codecs/v2/seal.ts';
import { type ControlRing, controlRing } from './control_ring.ts';
import { dispatch, type HandlerTable } from './dispatch.ts';
import { CALL_LIFE_MS, checkLife, checkTime } from './freshness.ts';
import { createLegacyServer } from './legacy_server.ts';
import { receive } from './pipeline.ts';
import { headerOf, openingChecks, present, requestChecks, type SealedRequest } from './sealed_checks.ts';
import { type Outcome, type ResponderOptions, respond } from './sealed_responder.ts';
import { CALL_QUEUE, DOORBELL_QUEUE, legacyServiceTopology, SEALED_TOPOLOGY } from './topology.ts';
import type { Caller, RpcServer, TaskmanagerServerOptions } from './types.ts';

const DEFAULT_CALL_SLOTS = 64;
const DOORBELLS_AT_A_TIME = 16;
const LONGEST_HOLD_MS = 30_000;
const DEFAULT_TOPIC = 'taskmanager';

/** The taskmanager's side of the control plane: sealed under K1 where its ring has a key, else in clear. */
export function createTaskmanagerServer(options: TaskmanagerServerOptions): RpcServer {
  const ring = controlRing(options.controlKeys);
  const handlers: HandlerTable = options.handlers;
  if (ring.first !== undefined) return new SealedTaskmanagerServer(options, ring, handlers);
  const topic = options.taskmanagerQueue ?? DEFAULT_TOPIC;
  return createLegacyServer({
    bus: options.legacyBus ?? options.bus,
    topology: legacyServiceTopology(options.controlExchange, topic, options.host),
    queues: [topic, `${topic}.${options.host}`],
    slots: options.callSlots ?? DEFAULT_CALL_SLOTS,
    exclusive: false,
    role: 'api',
    api: taskmanagerApi,
    handlers,
    logger: options.logger,
    onRefused: options.onRefused,
  });
}

class SealedTaskmanagerServer implements RpcServer {
  readonly #options: TaskmanagerServerOptions;
  readonly #handlers: HandlerTable;
  readonly #checks;
  readonly #responder: ResponderOptions;
  #subscriptions: Subscription[] = [];

  constructor(options: TaskmanagerServerOptions, ring: ControlRing, handlers: HandlerTable) {
    const clock = options.clock ?? systemClock;
    this.#options = options;
    this.#handlers = handlers;
    this.#responder = {
      bus: options.bus,
      me: TASKMANAGER,
      name: 'tm',
      sealer: createSealer(() => clock.monotonic()),
      clock,
      bootNonce: () => ZERO_16,
      confirm: false,
    };
    const opening = openingChecks({
      me: TASKMANAGER,
      allowed: [{ role: 'api', kinds: ['call', 'cast'] }],
      findSender: () => ({ policy: 2, rootKey: ring.find }),
      opener: createOpener(() => clock.monotonic()),
    });
    const judge = (message: SealedRequest): void => {
      checkLife(headerOf(message), CALL_LIFE_MS);
      checkTime(headerOf(message), clock.now());
    };
    this.#checks = [...opening, ...requestChecks(taskmanagerApi, judge)];
  }

  async start(): Promise<void> {
    const { bus, callSlots = DEFAULT_CALL_SLOTS } = this.#options;
    await bus.declare(SEALED_TOPOLOGY);
    this.#subscriptions = [
      await bus.consume(DOORBELL_QUEUE, { prefetch: DOORBELLS_AT_A_TIME }, (delivery) =>
        this.#onDelivery(delivery, DOORBELL_QUEUE),
      ),
      await bus.consume(CALL_QUEUE, { prefetch: callSlots }, (delivery) => this.#onDelivery(delivery, CALL_QUEUE)),
    ];
  }

  async close(): Promise<void> {
    await Promise.all(this.#subscriptions.map((subscription) => subscription.cancel()));
  }

  async #onDelivery(delivery: Delivery, queue: string): Promise<void> {
    const { logger, onRefused } = this.#options;
    const message: SealedRequest = { delivery };
    if (!(await receive(this.#checks, message, { queue, logger, onRefused }))) return;
    // A call to a guest may take minutes, and the broker ends a channel that holds a delivery for long.
    const letGo = setTimeout(() => delivery.ack(), LONGEST_HOLD_MS);
    try {
      await this.#handle(message, present(message.method, 'method'), present(message.request, 'content'));
    } finally {
      clearTimeout(letGo);
    }
  }

  async #handle(message: SealedRequest, method: RpcMethod, request: Request): Promise<void> {
    const header = headerOf(message);
    const caller: Caller = {
      role: 'api',
      messageId: header.messageId.toString('hex'),
      context: request.context,
      fence: request.fence,
      idempotencyKey: request.idempotencyKey,
      expiresMs: header.expires,
      legacy: false,
    };
    const outcome = await this.#outcome(method, request, caller);
    if (outcome === 'duplicate') return this.#drop(message);
    const { replyQueue } = request;
    if (replyQueue !== null) {
      const rootKey = present(message.rootKey, 'key_version');
      await respond(this.#responder, { header, rootKey, replyQueue }, outcome);
    } else if ('error' in outcome) {
      message.delivery.reject();
      return;
    }
    message.delivery.ack();
  }

  async #outcome(method: RpcMethod, request: Request, caller: Caller): Promise<Outcome | 'duplicate'> {
    const { firstArrival, logger } = this.#options;
    try {
      if (method.once && firstArrival !== undefined && !(await firstArrival(caller))) return 'duplicate';
    } catch (error) {
      logger.warn('whether a call came before is not known', { method: method.name, error });
      return { error: toTroveError(error) };
    }
    return await dispatch(this.#handlers, method, request.args, caller, logger);
  }

  /** A second arrival of the same bytes is acknowledged, counted and not answered. */
  #drop(message: SealedRequest): void {
    const { onRefused, logger } = this.#options;
    const facts = { queue: CALL_QUEUE, bytes: message.delivery.body.length, claimed_sender: 'api' };
    message.delivery.ack();
    onRefused?.('duplicate', facts);
    logger.debug('message refused', { reason: 'duplicate', ...facts });
  }
}
