/** One message on its way to the broker. */
export interface Publication {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly contentType: string;
  readonly contentEncoding?: string;
  readonly headers?: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  readonly messageId?: string;
  /** Checked by the broker against the account that publishes; left out where accounts are shared. */
  readonly userId?: string;
  /** Milliseconds until the broker may drop it unread. */
  readonly expirationMs?: number;
  readonly persistent: boolean;
  readonly priority?: number;
  /** True: a message that no queue takes is an error (`RPC_REFUSED`), instead of vanishing. */
  readonly mandatory: boolean;
  /**
   * False: `publish` waits only until the connection has it. It may be lost with the connection or refused unheard; for what
   * its receiver misses by a time-out anyway. Never together with `mandatory`. Absent: true.
   */
  readonly confirm?: boolean;
}

/**
 * One message handed out by the broker. Exactly one of `ack`, `reject` and `requeue` is called, once; where the consumer has
 * `noAck` they do nothing.
 */
export interface Delivery {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly contentType: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly messageId: string | undefined;
  readonly userId: string | undefined;
  readonly redelivered: boolean;
  ack(): void;
  /** To the dead-letter exchange, where the queue has one; else gone. */
  reject(): void;
  requeue(): void;
}

export interface ExchangeSpec {
  readonly name: string;
  readonly type: 'direct' | 'topic' | 'fanout';
  readonly durable: boolean;
}

export interface QueueSpec {
  readonly name: string;
  readonly durable: boolean;
  readonly exclusive?: boolean;
  readonly autoDelete?: boolean;
  /** `x-queue-type`, `x-max-length`, `x-overflow`, `x-message-ttl`, `x-delivery-limit`, `x-dead-letter-exchange`, … */
  readonly arguments?: Readonly<Record<string, string | number | boolean>>;
}

export interface BindingSpec {
  readonly exchange: string;
  readonly queue: string;
  readonly routingKey: string;
}

export interface Topology {
  readonly exchanges?: readonly ExchangeSpec[];
  readonly queues?: readonly QueueSpec[];
  readonly bindings?: readonly BindingSpec[];
}

export interface DeclareOptions {
  /** True: made now only. For durable queues that are many, such as one per guest: the broker keeps them by itself. */
  readonly once?: boolean;
}

export interface ConsumeOptions {
  /** Unacknowledged deliveries at a time. */
  readonly prefetch: number;
  /**
   * True: a message counts as settled when it is handed out, and `prefetch` bounds nothing. For exclusive queues, whose
   * messages end with the connection anyway.
   */
  readonly noAck?: boolean;
  readonly exclusive?: boolean;
}

export interface Subscription {
  /** Takes no more; resolves when running handlers have ended. */
  cancel(): Promise<void>;
}

/**
 * Bytes to and from a broker, and nothing of what they mean. AMQP and in-memory, held to one conformance suite.
 * Whoever opens a bus closes it.
 */
export interface Bus {
  /** `blocked`: connected to a broker that takes no message, being short of memory or disk; it still hands out what it has. */
  readonly state: 'connecting' | 'connected' | 'blocked' | 'closed';
  /**
   * Made now, and again after each reconnect, before consumers resume. An exclusive queue ends with its connection and is
   * not made again, nor are its consumers: whoever wants one declares it, under a new name, in `onConnected`.
   */
  declare(topology: Topology, options?: DeclareOptions): Promise<void>;
  /**
   * Resolves when the broker has taken it (see `confirm`). `BUS_UNAVAILABLE` (retryable) when there is none within the bus's time-out;
   * `RPC_REFUSED` when it has no such exchange, when a mandatory message reaches no queue, or (retryable) when a queue is full.
   * Either has the cause `Unconfirmed` where the message may have arrived all the same.
   */
  publish(publication: Publication): Promise<void>;
  /** Consumes again after each reconnect and after the queue was deleted under it (it declares what it was told). */
  consume(
    queue: string,
    options: ConsumeOptions,
    onDelivery: (delivery: Delivery) => Promise<void>,
  ): Promise<Subscription>;
  /** Also forgets that it was declared. One that is not there is no error. */
  deleteQueue(name: string): Promise<void>;
  /** Called at each connection, the present one too if it stands; returns how to stop listening. */
  onConnected(listener: () => void): () => void;
  /** Takes no more, lets handlers end, closes. */
  close(): Promise<void>;
}
