import { randomBytes } from 'node:crypto';
import { type Clock, isTroveError, type Logger, sha256, TroveError } from '@trove/common';
import type { Role } from '@trove/contracts';
import type { Bus, Delivery } from '../bus/bus.ts';
import { Unconfirmed } from '../bus/link.ts';
import { type HeaderFields, ZERO_16 } from '../codecs/v2/header.ts';
import { createOpener } from '../codecs/v2/open.ts';
import { type Party, sameParty } from '../codecs/v2/party.ts';
import { parseAnswer, type Request, requestText } from '../codecs/v2/payload.ts';
import { createSealer } from '../codecs/v2/seal.ts';
import { CALL_LIFE_MS, checkTime } from './freshness.ts';
import { PendingCalls } from './pending_calls.ts';
import { receive } from './pipeline.ts';
import { type OnRefused, Refusal } from './refusal.ts';
import { ReplyQueue } from './reply_queue.ts';
import { headerOf, openingChecks, present, type SealedMessage, type SenderKeys } from './sealed_checks.ts';
import { REPLY_EXCHANGE, replyTopology } from './topology.ts';

export const SEALED_CONTENT_TYPE = 'application/vnd.trove.rpc2';

export interface SealedCallerOptions {
  readonly bus: Bus;
  readonly me: Party;
  /** Who answers, in routing keys: `*` for many guests, else `tm`. */
  readonly answeredBy: string;
  readonly answeredByRole: Role;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly onRefused?: OnRefused | undefined;
}

/** Where a request goes and under which key. */
export interface SealedPeer {
  readonly party: Party;
  /** The broker account that its answer must come from; absent where it has none of its own. */
  readonly account?: string | undefined;
  readonly rootKey: Buffer;
  readonly keyVersion: number;
  readonly bootNonce: Buffer;
  readonly exchange: string;
  readonly routingKey: string;
}

export type SealedRequestBody = Omit<Request, 'args' | 'replyQueue'> & { readonly args: unknown };

export interface Limits {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly timeout: () => Error;
  /** What it means when no queue takes the request. */
  readonly unreachable: (cause: unknown) => Error;
  /** True: the request may be sent again whatever became of it, so that one which may have arrived is one for lack of a bus. */
  readonly repeatable?: boolean;
}

/** Publishes; a message that the broker refused becomes `unreachable`, one that may have arrived and is not `repeatable` a time-out. */
export async function reaching(published: Promise<void>, limits: Limits): Promise<void> {
  try {
    await published;
  } catch (error) {
    const mayHaveArrived = error instanceof Error && error.cause instanceof Unconfirmed;
    if (mayHaveArrived && limits.repeatable !== true) throw limits.timeout();
    throw isTroveError(error, 'RPC_REFUSED') ? limits.unreachable(error) : error;
  }
}

interface Asked {
  readonly peer: SealedPeer;
  readonly requestHash: Buffer;
}

/** Sends sealed requests and matches sealed answers to them. An answer that does not open leaves its call pending. */
export class SealedCaller {
  readonly #options: SealedCallerOptions;
  readonly #sealer;
  readonly #calls = new PendingCalls<Asked>();
  readonly #replies: ReplyQueue;
  readonly #checks;

  constructor(options: SealedCallerOptions) {
    this.#options = options;
    this.#sealer = createSealer(() => options.clock.monotonic());
    this.#checks = openingChecks({
      me: options.me,
      allowed: [{ role: options.answeredByRole, kinds: ['reply', 'error'] }],
      findSender: (header) => this.#asked(header.requestId, header.requestHash, header.sender),
      opener: createOpener(() => options.clock.monotonic()),
    });
    this.#replies = new ReplyQueue({
      bus: options.bus,
      logger: options.logger,
      newName: () => randomBytes(8).toString('hex'),
      topology: (name) => replyTopology(name, options.answeredBy),
      onDelivery: (delivery) => this.#onReply(delivery),
    });
  }

  /** The result, or a rejection with the peer's own error, the time-out's, or the bus's. */
  async call(peer: SealedPeer, body: SealedRequestBody, limits: Limits): Promise<unknown> {
    const replyQueue = await this.#replies.name();
    const messageId = randomBytes(16);
    const text = requestText({ ...body, replyQueue });
    const envelope = this.#seal(peer, 'call', messageId, limits.deadlineMs, text);
    const asked = { peer, requestHash: sha256(envelope).subarray(0, 16) };
    return await this.#calls.wait(messageId.toString('hex'), asked, limits, () =>
      reaching(this.#publish(peer, envelope, messageId, limits.deadlineMs, false), limits),
    );
  }

  async cast(peer: SealedPeer, body: SealedRequestBody, lifeMs: number): Promise<void> {
    const messageId = randomBytes(16);
    const envelope = this.#seal(peer, 'cast', messageId, lifeMs, requestText({ ...body, replyQueue: null }));
    await this.#publish(peer, envelope, messageId, lifeMs, true);
  }

  async close(): Promise<void> {
    await this.#replies.close();
    this.#calls.giveUp();
  }

  #seal(peer: SealedPeer, kind: 'call' | 'cast', messageId: Buffer, lifeMs: number, text: string): Buffer {
    const issued = this.#options.clock.now();
    const fields: HeaderFields = {
      kind,
      keyVersion: peer.keyVersion,
      sender: this.#options.me,
      receiver: peer.party,
      messageId,
      requestId: ZERO_16,
      requestHash: ZERO_16,
      bootNonce: peer.bootNonce,
      sequence: 0n,
      issued,
      expires: issued + Math.min(CALL_LIFE_MS, Math.max(1, Math.ceil(lifeMs))),
    };
    try {
      return this.#sealer.seal(peer.rootKey, fields, text);
    } catch (error) {
      if (error instanceof Refusal) throw new TroveError('RPC_REFUSED', 'The message is too large.', { cause: error });
      throw error;
    }
  }

  #publish(
    peer: SealedPeer,
    body: Buffer,
    messageId: Buffer,
    expirationMs: number,
    persistent: boolean,
  ): Promise<void> {
    return this.#options.bus.publish({
      exchange: peer.exchange,
      routingKey: peer.routingKey,
      body,
      contentType: SEALED_CONTENT_TYPE,
      messageId: messageId.toString('hex'),
      expirationMs,
      persistent,
      mandatory: true,
    });
  }

  #asked(requestId: Buffer, requestHash: Buffer, sender: Party): SenderKeys {
    const call = this.#calls.get(requestId.toString('hex'));
    if (call === undefined) throw new Refusal('unknown_call');
    const { peer, requestHash: sent } = call.extra;
    if (!requestHash.equals(sent) || !sameParty(sender, peer.party)) throw new Refusal('request_binding');
    const { account } = peer;
    return { policy: 2, account, rootKey: (version) => (version === peer.keyVersion ? peer.rootKey : undefined) };
  }

  async #onReply(delivery: Delivery): Promise<void> {
    const message: SealedMessage = { delivery };
    const { logger, onRefused } = this.#options;
    const answered = [
      ...this.#checks,
      {
        name: 'time',
        reason: 'expiry',
        run: (opened: SealedMessage) => checkTime(headerOf(opened), this.#options.clock.now()),
      },
      { name: 'content', reason: 'content', run: (opened: SealedMessage) => this.#settle(opened) },
    ] as const;
    const around = { queue: REPLY_EXCHANGE, logger, onRefused };
    await receive(answered, message, around);
  }

  #settle(message: SealedMessage): void {
    const header = headerOf(message);
    const call = present(this.#calls.get(header.requestId.toString('hex')), 'unknown_call');
    const answer = parseAnswer(header.kind === 'reply' ? 'reply' : 'error', present(message.plaintext, 'open'));
    if ('error' in answer) call.reject(answer.error);
    else call.resolve(answer.result);
  }
}
