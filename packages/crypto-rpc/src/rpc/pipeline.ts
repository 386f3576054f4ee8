import type { Logger } from '@trove/common';
import type { Delivery } from '../bus/bus.ts';
import { MAX_ENVELOPE_LENGTH } from '../codecs/v2/header.ts';
import { type OnRefused, Refusal, type RefusalReason } from './refusal.ts';

/**
 * One check of a received message. It returns nothing, or throws; whatever it throws, the message is refused, under the
 * check's own reason unless a `Refusal` says another.
 */
export interface Check<M> {
  readonly name: string;
  readonly reason: RefusalReason;
  readonly run: (message: M) => void | Promise<void>;
}

/** Runs the checks in their order; the first that throws ends it with a `Refusal`. */
export async function runChecks<M>(checks: readonly Check<M>[], message: M): Promise<void> {
  for (const check of checks) {
    try {
      const pending = check.run(message);
      // Most checks are synchronous, and a turn of the loop each would cost more than they do.
      if (pending !== undefined) await pending;
    } catch (error) {
      throw error instanceof Refusal ? error : new Refusal(check.reason);
    }
  }
}

export interface Received {
  readonly delivery: Delivery;
  /** For the log; set as soon as the message claims it. */
  claimedSender?: string;
}

/** The first checks of every receiver, in clear or sealed. */
export const envelopeChecks: readonly Check<Received>[] = [
  {
    name: 'size',
    reason: 'size',
    run: ({ delivery }) => {
      if (delivery.body.length > MAX_ENVELOPE_LENGTH) throw new Refusal('size');
    },
  },
  {
    name: 'copied_route',
    reason: 'copied_route',
    // CC gets round the broker's topic permissions before RabbitMQ 4.0.3.
    run: ({ delivery }) => {
      if ('CC' in delivery.headers || 'BCC' in delivery.headers) throw new Refusal('copied_route');
    },
  },
];

/** Runs the checks on what was delivered. A refused message is acknowledged and told to `onRefused`; then false. */
export async function receive<M extends Received>(
  checks: readonly Check<M>[],
  message: M,
  around: { readonly queue: string; readonly logger: Logger; readonly onRefused?: OnRefused | undefined },
): Promise<boolean> {
  try {
    await runChecks(checks, message);
    return true;
  } catch (error) {
    const reason = error instanceof Refusal ? error.reason : 'shape';
    const sender = message.claimedSender === undefined ? {} : { claimed_sender: message.claimedSender };
    const facts = { queue: around.queue, bytes: message.delivery.body.length, ...sender };
    message.delivery.ack();
    around.onRefused?.(reason, facts);
    around.logger.debug('message refused', { reason, ...facts });
    return false;
  }
}
