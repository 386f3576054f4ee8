import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import { BARE_QUEUE } from './workload.ts';

export interface BareCaller {
  call(): Promise<unknown>;
  close(): Promise<void>;
}

/** Calls as amqplib alone makes them: what any RPC over this broker from Node could reach at most. */
export async function bareCaller(url: string, request: string): Promise<BareCaller> {
  const link = await connect(url, { noDelay: true });
  const channel = await link.createChannel();
  const replies = (await channel.assertQueue('', { exclusive: true })).queue;
  const waiting = new Map<string, (value: unknown) => void>();
  await channel.consume(
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
        channel.sendToQueue(BARE_QUEUE, Buffer.from(request), { correlationId, replyTo: replies });
      }),
    close: () => link.close(),
  };
}
