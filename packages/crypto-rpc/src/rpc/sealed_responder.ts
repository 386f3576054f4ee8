import { randomBytes } from 'node:crypto';
import { type Clock, sha256, TroveError } from '@trove/common';
import type { Bus } from '../bus/bus.ts';
import type { Header } from '../codecs/v2/header.ts';
import type { Party } from '../codecs/v2/party.ts';
import { errorText, replyText } from '../codecs/v2/payload.ts';
import type { Sealer } from '../codecs/v2/seal.ts';
import { Refusal } from './refusal.ts';
import { SEALED_CONTENT_TYPE } from './sealed_caller.ts';
import { REPLY_EXCHANGE, replyKey } from './topology.ts';

/** An answer is worth this long at least, even where the request has expired meanwhile. */
const SHORTEST_LIFE_MS = 1000;

export interface ResponderOptions {
  readonly bus: Bus;
  readonly me: Party;
  /** How this side is named in the reply's routing key. */
  readonly name: string;
  readonly sealer: Sealer;
  /** A guest's broker account, which the broker vouches for. */
  readonly account?: string | undefined;
  readonly clock: Clock;
  /** A guest's own; zero for a service. */
  readonly bootNonce: () => Buffer;
  /** False where the request stays with the broker until its answer is out, so that one lost with the connection is made again. */
  readonly confirm: boolean;
}

export type Outcome = { readonly result: unknown } | { readonly error: TroveError };

/** Seals the outcome under the request's key version, bound to the request's bytes, and sends it to the caller's queue. */
export async function respond(
  options: ResponderOptions,
  request: { readonly header: Header; readonly rootKey: Buffer; readonly replyQueue: string },
  outcome: Outcome,
): Promise<void> {
  const { header, rootKey } = request;
  const issued = options.clock.now();
  const expires = Math.max(header.expires, issued + SHORTEST_LIFE_MS);
  const messageId = randomBytes(16);
  const seal = (answer: Outcome): Buffer =>
    options.sealer.seal(
      rootKey,
      {
        kind: 'error' in answer ? 'error' : 'reply',
        keyVersion: header.keyVersion,
        sender: options.me,
        receiver: header.sender,
        messageId,
        requestId: header.messageId,
        requestHash: sha256(header.envelope).subarray(0, 16),
        bootNonce: options.bootNonce(),
        sequence: 0n,
        issued,
        expires,
      },
      'error' in answer ? errorText(answer.error) : replyText(answer.result),
    );
  await options.bus.publish({
    exchange: REPLY_EXCHANGE,
    routingKey: replyKey(request.replyQueue, options.name),
    body: sealOrTooLarge(seal, outcome),
    contentType: SEALED_CONTENT_TYPE,
    messageId: messageId.toString('hex'),
    expirationMs: expires - issued,
    ...(options.account !== undefined && { userId: options.account }),
    persistent: false,
    // The caller may have stopped waiting.
    mandatory: false,
    confirm: options.confirm,
  });
}

function sealOrTooLarge(seal: (outcome: Outcome) => Buffer, outcome: Outcome): Buffer {
  try {
    return seal(outcome);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return seal({ error: new TroveError('INTERNAL', 'The answer is too large.') });
  }
}
