import { connect } from 'amqplib';
import type { TappedMessage } from '../outside.ts';

export interface Tap {
  messages(): readonly TappedMessage[];
  close(): Promise<void>;
}

/** A tap on one broker as long as it runs. */
export interface Firehose extends Tap {
  /** When the broker has gone. */
  readonly ended: Promise<void>;
}

/** RabbitMQ's own tap (`rabbitmqctl trace_on`): a copy of every message published to the vhost, answers too, at the end of `seen`. */
export async function openFirehose(
  amqpUrl: string,
  managementUrl: string,
  vhost: string,
  seen: TappedMessage[] = [],
): Promise<Firehose> {
  await traceOn(managementUrl, vhost);
  const connection = await connect(amqpUrl);
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  // An 'error' is followed by 'close'; without a listener it would end the process.
  connection.on('error', () => undefined);
  connection.on('close', () => resolve());
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, 'amq.rabbitmq.trace', 'publish.#');
  await channel.consume(
    queue,
    (message) => {
      if (message === null) return;
      const { exchange_name, routing_keys } = message.properties.headers as {
        exchange_name: string;
        routing_keys: string[];
      };
      seen.push({
        exchange: exchange_name,
        routingKey: routing_keys[0] ?? '',
        body: message.content.toString('base64'),
      });
    },
    { noAck: true },
  );
  return { messages: () => seen, ended, close: () => connection.close() };
}

async function traceOn(managementUrl: string, vhost: string): Promise<void> {
  const url = new URL(managementUrl);
  const authorization = `Basic ${Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`).toString('base64')}`;
  const response = await fetch(`${url.protocol}//${url.host}/api/vhosts/${encodeURIComponent(vhost)}`, {
    method: 'PUT',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ tracing: true }),
  });
  if (!response.ok) throw new Error(`RabbitMQ did not switch its tracing on: HTTP ${response.status}`);
}
