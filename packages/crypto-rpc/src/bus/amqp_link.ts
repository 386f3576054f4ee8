import { type TlsClient, TroveError } from '@trove/common';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { connect } from 'amqplib';
import { AmqpPublisher } from './amqp_publisher.ts';
import type { ConsumeOptions, Delivery, Topology } from './bus.ts';
import { type Link, type LinkConsumer, LinkLost, settleOnce } from './link.ts';
import type { BrokerHost } from './transport_url.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const HEARTBEAT_S = 30;

/** Opens one AMQP connection to this host, over TLS where its protocol says so. */
export async function openAmqpLink(host: BrokerHost, connectionName: string, tls?: TlsClient): Promise<Link> {
  const connection = await connectTo(host, connectionName, tls);
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  let open = true;
  // An 'error' is followed by 'close'; without a listener it would end the process.
  connection.on('error', () => {});
  connection.on('close', () => {
    open = false;
    resolve();
  });
  const publisher = new AmqpPublisher(connection);
  return {
    closed,
    declare: (topology) => onOwnChannel(connection, (channel) => declare(channel, topology)),
    publish: (publication) => publisher.publish(publication),
    consume: (queue, options, onDelivery, onEnded) => consume(connection, queue, options, onDelivery, onEnded),
    deleteQueue: (name) =>
      onOwnChannel(connection, async (channel) => {
        await channel.deleteQueue(name);
      }),
    close: async () => {
      if (open) await connection.close().catch(() => {});
      await closed;
    },
  };
}

async function connectTo(host: BrokerHost, connectionName: string, tls: TlsClient | undefined): Promise<ChannelModel> {
  const secure = host.protocol === 'amqps' ? tls : undefined;
  try {
    return await connect(
      { ...host, heartbeat: HEARTBEAT_S },
      {
        // Without it each exchange waits 40 ms for Nagle's algorithm and the delayed acknowledgement.
        noDelay: true,
        timeout: CONNECT_TIMEOUT_MS,
        clientProperties: { connection_name: connectionName },
        ...secure?.connectOptions,
      },
    );
  } catch (error) {
    const told = secure?.explain(error, { host: host.hostname, port: host.port });
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
  connection: ChannelModel,
  queue: string,
  options: ConsumeOptions,
  onDelivery: (delivery: Delivery) => void,
  onEnded: () => void,
): Promise<LinkConsumer> {
  const { channel, failure } = await openChannel(connection);
  let started = false;
  let open = true;
  const close = async (): Promise<void> => {
    if (open) await channel.close().catch(() => {});
  };
  channel.on('close', () => {
    open = false;
    if (started) onEnded();
  });
  const onMessage = (message: ConsumeMessage | null): void => {
    // Null: the broker cancelled the consumer, its queue is gone.
    if (message === null) void close();
    else onDelivery(toDelivery(channel, () => open, message));
  };
  try {
    await channel.prefetch(options.prefetch);
    const { consumerTag } = await channel.consume(queue, onMessage, { exclusive: options.exclusive ?? false });
    started = true;
    return {
      cancel: async () => {
        started = false;
        if (open) await channel.cancel(consumerTag).catch(() => {});
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

function toDelivery(channel: Channel, isOpen: () => boolean, message: ConsumeMessage): Delivery {
  const { fields, properties, content } = message;
  const settle = settleOnce((how) => {
    // On a closed channel there is nothing to settle: the broker has taken the message back.
    if (!isOpen()) return;
    if (how === 'ack') channel.ack(message);
    else channel.reject(message, how === 'requeue');
  });
  return {
    exchange: fields.exchange,
    routingKey: fields.routingKey,
    body: content,
    contentType: text(properties.contentType),
    headers: properties.headers ?? {},
    messageId: text(properties.messageId),
    userId: text(properties.userId),
    redelivered: fields.redelivered,
    ...settle,
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
