import { randomUUID } from 'node:crypto';
import type { Logger, TroveError } from '@trove/common';
import type { Bus, Delivery } from '../bus/bus.ts';
import { CONTENT_ENCODING, CONTENT_TYPE, type Members, parseReply, writeRequest } from '../codecs/oslo/envelope.ts';
import type { Json, JsonObject } from '../codecs/v2/strict_json.ts';
import { PendingCalls } from './pending_calls.ts';
import { envelopeChecks, type Received, receive } from './pipeline.ts';
import { type OnRefused, Refusal } from './refusal.ts';
import { ReplyQueue } from './reply_queue.ts';
import { type Limits, reaching } from './sealed_caller.ts';
import { legacyReplyTopology } from './topology.ts';

export interface LegacyCallerOptions {
  readonly bus: Bus;
  readonly controlExchange: string;
  readonly logger: Logger;
  readonly onRefused?: OnRefused | undefined;
}

/** One request to a peer that speaks `plaintext` or `v1`; arguments and context as they go over the wire. */
export interface LegacyRequest {
  readonly topic: string;
  readonly method: string;
  readonly version: string;
  readonly args: Members;
  readonly context: JsonObject;
}

/** How this peer's answers are read. */
export interface LegacyAnswers {
  readonly openResult: (result: Json) => Json;
  readonly readFailure: (failure: string) => TroveError;
}

/** Sends requests as oslo.messaging does, and matches answers to them by `_msg_id`. */
export class LegacyCaller {
  readonly #options: LegacyCallerOptions;
  readonly #calls = new PendingCalls<LegacyAnswers>();
  readonly #replies: ReplyQueue;

  constructor(options: LegacyCallerOptions) {
    this.#options = options;
    this.#replies = new ReplyQueue({
      bus: options.bus,
      logger: options.logger,
      newName: () => `reply_${hexId()}`,
      topology: legacyReplyTopology,
      onDelivery: (delivery) => this.#onReply(delivery),
    });
  }

  async call(request: LegacyRequest, answers: LegacyAnswers, limits: Limits): Promise<unknown> {
    const replyQueue = await this.#replies.name();
    const callId = hexId();
    return await this.#calls.wait(callId, answers, limits, () =>
      reaching(this.#publish(request, { callId, replyQueue }, limits.deadlineMs), limits),
    );
  }

  async cast(request: LegacyRequest): Promise<void> {
    await this.#publish(request, { callId: null, replyQueue: null });
  }

  async close(): Promise<void> {
    await this.#replies.close();
    this.#calls.giveUp();
  }

  #publish(
    { topic, ...message }: LegacyRequest,
    call: { readonly callId: string | null; readonly replyQueue: string | null },
    expirationMs?: number,
  ): Promise<void> {
    return this.#options.bus.publish({
      exchange: this.#options.controlExchange,
      routingKey: topic,
      body: writeRequest({ ...message, ...call, uniqueId: hexId() }),
      ...LEGACY_PROPERTIES,
      mandatory: true,
      ...(expirationMs === undefined ? {} : { expirationMs }),
    });
  }

  async #onReply(delivery: Delivery): Promise<void> {
    const checks = [
      ...envelopeChecks,
      { name: 'content', reason: 'content', run: (message: Received) => this.#settle(message) },
    ] as const;
    const { logger, onRefused } = this.#options;
    await receive(checks, { delivery }, { queue: 'reply', logger, onRefused });
  }

  #settle({ delivery }: Received): void {
    const reply = parseReply(delivery.body);
    const call = this.#calls.get(reply.callId);
    if (call === undefined) throw new Refusal('unknown_call');
    if (reply.failure === null) call.resolve(call.extra.openResult(reply.result));
    else call.reject(call.extra.readFailure(reply.failure));
  }
}

/** The AMQP properties of everything that oslo.messaging publishes. */
export const LEGACY_PROPERTIES = {
  contentType: CONTENT_TYPE,
  contentEncoding: CONTENT_ENCODING,
  headers: {},
  priority: 0,
  persistent: true,
} as const;

/** A UUID without hyphens, as oslo.messaging makes its ids. */
export function hexId(): string {
  return randomUUID().replaceAll('-', '');
}
