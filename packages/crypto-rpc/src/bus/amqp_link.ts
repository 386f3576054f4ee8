import { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type TlsClient, type TransportHost, type TransportUrl, TroveError } from '@trove/common';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { connect } from 'amqplib';
import { AmqpPublisher } from './amqp_publisher.ts';
import { gatherWrites } from './amqp_writes.ts';
import type { ConsumeOptions, Delivery, Topology } from './bus.ts';
import { type Link, type LinkConsumer, LinkLost, type Settled, settleOnce } from './link.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** A broker that has gone silent is noticed after two of them. */
const HEARTBEAT_S = 10;
/** How long a broker may take to say goodbye. */
const GOODBYE_MS = 3000;

/** One host of a broker's URL, with what all of them share; `tls` where it is spoken to over TLS. */
type BrokerHost = TransportHost & Pick<TransportUrl, 'vhost'> & { readonly tls: TlsClient | undefined };

/** Opens one AMQP connection to this host. */
export async function openAmqpLink(broker: BrokerHost, connectionName: string): Promise<Link> {
  const connection = await connectTo(broker, connectionName);
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  let open = true;
  // An 'error' is followed by 'close'; without a listener it would end the process.
  connection.on('error', () => {});
  connection.on('close', () => {
    open = false;
    resolve();
  });
  const blockade = blockadeOf(connection);
  const gather = gatherWrites(connection);
  const publisher = new AmqpPublisher(connection, gather);
  return {
    closed,
    get blocked() {
      return blockade.lifted;
    },
    declare: (topology) => onOwnChannel(connection, (channel) => declare(channel, topology)),
    publish: (publication) => publisher.publish(publication),
    consume: (queue, options, onDelivery, onEnded) =>
      consume({ connection, gather }, queue, options, onDelivery, onEnded),
    deleteQueue: (name) =>
      onOwnChannel(connection, async (channel) => {
        await channel.deleteQueue(name);
      }),
    close: async () => {
      if (open && !(await said(connection.close()))) end(connection);
      await closed;
    },
  };
}

/** What the broker says of it: it reads nothing of a connection that publishes while it is short of memory or disk. */
function blockadeOf(connection: ChannelModel): { readonly lifted: Promise<void> | undefined } {
  let blockade: PromiseWithResolvers<void> | undefined;
  const lift = (): void => {
    blockade?.resolve();
    blockade = undefined;
  };
  connection.on('blocked', () => {
    blockade ??= Promise.withResolvers<void>();
  });
  connection.on('unblocked', lift);
  connection.on('close', lift);
  return {
    get lifted() {
      return blockade?.promise;
    },
  };
}

/** Whether the broker has answered this goodbye, with whatever, within its time. */
async function said(goodbye: Promise<unknown>): Promise<boolean> {
  const answered = goodbye.then(
    () => true,
    () => true,
  );
  const late = new AbortController();
  try {
    return await Promise.race([answered, delay(GOODBYE_MS, false, { signal: late.signal })]);
  } finally {
    late.abort();
  }
}

/** Without the broker's leave. */
function end({ connection }: ChannelModel): void {
  const stream: unknown = Reflect.get(connection, 'stream');
  if (stream instanceof Duplex) stream.destroy(new Error('the broker did not answer'));
}

async function connectTo(broker: BrokerHost, connectionName: string): Promise<ChannelModel> {
  const { host: hostname, port, user: username, password, vhost, tls } = broker;
  const protocol = tls ? 'amqps' : 'amqp';
  try {
    return await connect(
      { protocol, hostname, port, username, password: password.reveal(), vhost, heartbeat: HEARTBEAT_S },
      {
        // Without it each exchange waits 40 ms for Nagle's algorithm and the delayed acknowledgement.
        noDelay: true,
        timeout: CONNECT_TIMEOUT_MS,
        clientProperties: { connection_name: connectionName },
        ...tls?.connectOptions,
      },
    );
  } catch (error) {
    const told = tls?.explain(error, { host: hostname, port });
    throw told === undefined ? error : new TroveError('BUS_UNAVAILABLE', told, { retryable: true, cause: error });
  }
}

/** A refused declaration ends its channel, so each set has one of its own. */
async function onOwnChannel(connection: ChannelModel, act: (channel: Channel) => Promise<void>): Promise<void> {
  const { channel, failure } = await openChannel(connection);
  try {
    await act(channel);
  } catch (error) {
    throw failure() ?? new LinkLost('connection ended', { cause: error });
  }
  await channel.close().catch(() => {});
}

async function openChannel(connection: ChannelModel): Promise<{ channel: Channel; failure: () => Error | undefined }> {
  try {
    const channel = await connection.createChannel();
    let failure: Error | undefined;
    channel.on('error', (error: Error) => {
      failure = error;
    });
    return { channel, failure: () => failure };
  } catch (error) {
    throw new LinkLost('no channel', { cause: error });
  }
}

async function declare(channel: Channel, topology: Topology): Promise<void> {
  for (const { name, type, durable } of topology.exchanges ?? []) await channel.assertExchange(name, type, { durable });
  for (const queue of topology.queues ?? []) {
    await channel.assertQueue(queue.name, {
      durable: queue.durable,
      exclusive: queue.exclusive ?? false,
      autoDelete: queue.autoDelete ?? false,
      ...(queue.arguments === undefined ? {} : { arguments: queue.arguments }),
    });
  }
  for (const binding of topology.bindings ?? []) {
    await channel.bindQueue(binding.queue, binding.exchange, binding.routingKey);
  }
}

async function consume(
  { connection, gather }: { readonly connection: ChannelModel; readonly gather: () => void },
  queue: string,
  options: ConsumeOptions,
  onDelivery: (delivery: Delivery) => void,
  onEnded: () => void,
): Promise<LinkConsumer> {
  const { channel, failure } = await openChannel(connection);
  let started = false;
  let open = true;
  const close = async (): Promise<void> => {
    if (open) await said(channel.close());
  };
  channel.on('close', () => {
    open = false;
    if (started) onEnded();
  });
  const noAck = options.noAck ?? false;
  const settle = (message: ConsumeMessage, how: Settled): void => {
    // On a closed channel there is nothing to settle: the broker has taken the message back.
    if (!open || noAck) return;
    if (how === 'ack') channel.ack(message);
    else channel.reject(message, how === 'requeue');
    gather();
  };
  const onMessage = (message: ConsumeMessage | null): void => {
    // Null: the broker cancelled the consumer, its queue is gone.
    if (message === null) void close();
    else onDelivery(toDelivery(message, settle));
  };
  try {
    await channel.prefetch(options.prefetch);
    const { consumerTag } = await channel.consume(queue, onMessage, { exclusive: options.exclusive ?? false, noAck });
    started = true;
    return {
      cancel: async () => {
        started = false;
        if (open) await said(channel.cancel(consumerTag));
      },
      release: async () => {
        started = false;
        await close();
      },
    };
  } catch (error) {
    throw failure() ?? error;
  }
}

function toDelivery(message: ConsumeMessage, settle: (message: ConsumeMessage, how: Settled) => void): Delivery {
  const { fields, properties, content } = message;
  return {
    exchange: fields.exchange,
    routingKey: fields.routingKey,
    body: content,
    contentType: text(properties.contentType),
    headers: properties.headers ?? {},
    messageId: text(properties.messageId),
    userId: text(properties.userId),
    redelivered: fields.redelivered,
    ...settleOnce((how) => settle(message, how)),
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
