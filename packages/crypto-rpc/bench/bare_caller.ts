import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';

export interface BareCaller {
  call(): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * Request and reply as amqplib alone does it: transient messages, no confirms, no deadline, no check, JSON on both ends. What
 * any RPC over this broker from Node could reach at most.
 */
export async function bareCaller(url: string, request: string, answer: string): Promise<BareCaller> {
  const [serverLink, clientLink] = await Promise.all([
    connect(url, { noDelay: true }),
    connect(url, { noDelay: true }),
  ]);
  const server = await serverLink.createChannel();
  const client = await clientLink.createChannel();
  const queue = (await server.assertQueue('', { exclusive: true })).queue;
  const replies = (await client.assertQueue('', { exclusive: true })).queue;
  await server.prefetch(256);
  await server.consume(queue, (message) => {
    if (message === null) return;
    JSON.parse(message.content.toString('utf8'));
    const { replyTo, correlationId } = message.properties;
    server.sendToQueue(String(replyTo), Buffer.from(answer), { correlationId });
    server.ack(message);
  });
  const waiting = new Map<string, (value: unknown) => void>();
  await client.consume(
    replies,
    (message) => {
      if (message === null) return;
      const id = String(message.properties.correlationId);
      waiting.get(id)?.(JSON.parse(message.content.toString('utf8')));
      waiting.delete(id);
    },
    { noAck: true },
  );
  return {
    call: () =>
      new Promise((resolve) => {
        const correlationId = randomUUID();
        waiting.set(correlationId, resolve);
        client.sendToQueue(queue, Buffer.from(request), { correlationId, replyTo: replies });
      }),
    close: async () => {
      await clientLink.close();
      await serverLink.close();
    },
  };
}
