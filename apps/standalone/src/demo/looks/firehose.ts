import { connect } from 'amqplib';
import type { TappedMessage } from '../outside.ts';

export interface Tap {
  messages(): readonly TappedMessage[];
  close(): Promise<void>;
}

/** RabbitMQ's own tap (`rabbitmqctl trace_on`): a copy of every message published to the vhost, answers too. */
export async function openFirehose(amqpUrl: string, managementUrl: string, vhost: string): Promise<Tap> {
  await traceOn(managementUrl, vhost);
  const connection = await connect(amqpUrl);
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, 'amq.rabbitmq.trace', 'publish.#');
  const seen: TappedMessage[] = [];
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
  return { messages: () => seen, close: () => connection.close() };
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
