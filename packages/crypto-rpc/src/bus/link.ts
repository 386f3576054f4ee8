import type { ConsumeOptions, Delivery, Publication, Topology } from './bus.ts';

/** One connection to a broker, from its opening to its end. `ManagedBus` opens the next one. */
export interface Link {
  declare(topology: Topology): Promise<void>;
  /** Rejects with `LinkLost` when the link ended before the broker's answer: the message may or may not have arrived. */
  publish(publication: Publication): Promise<void>;
  /** `onEnded`: the broker ended it (queue deleted, channel closed) while the link stands. */
  consume(
    queue: string,
    options: ConsumeOptions,
    onDelivery: (delivery: Delivery) => void,
    onEnded: () => void,
  ): Promise<LinkConsumer>;
  deleteQueue(name: string): Promise<void>;
  close(): Promise<void>;
  /** Resolves when the link is gone, however it went. */
  readonly closed: Promise<void>;
  /** Set while the broker takes nothing, being short of memory or disk: resolves when it does again, or the link is gone. */
  readonly blocked: Promise<void> | undefined;
}

export interface LinkConsumer {
  /** Resolves when the broker hands out no more; what was handed out can still be acknowledged. */
  cancel(): Promise<void>;
  /** Frees what the consumer held; unacknowledged deliveries go back. */
  release(): Promise<void>;
}

export class LinkLost extends Error {
  override readonly name = 'LinkLost';
}

/** The cause of a publication's error where the message was written and the broker has not said what became of it. */
export class Unconfirmed extends Error {
  override readonly name = 'Unconfirmed';
}

export type Settled = 'ack' | 'reject' | 'requeue';

/** The three ways to settle a delivery, of which only the first call counts: a second one would end an AMQP channel. */
export function settleOnce(settle: (how: Settled) => void): Pick<Delivery, Settled> {
  let settled = false;
  const once = (how: Settled) => (): void => {
    if (settled) return;
    settled = true;
    settle(how);
  };
  return { ack: once('ack'), reject: once('reject'), requeue: once('requeue') };
}
