// The side that is called, in a process of its own, as a taskmanager is: `node called_process.ts KIND`, the broker in
// CALLED_URL. It tells its parent when it serves, and ends with it.
import { Secret, silentLogger } from '@trove/common';
import { connect } from 'amqplib';
import { createAmqpBus, createTaskmanagerServer } from '../src/index.ts';
import { ANSWER, BARE_QUEUE, controlKeysOf, KINDS, type Kind } from './workload.ts';

const SLOTS = 256;

const kindText = process.argv[2];
const url = process.env['CALLED_URL'] ?? '';
const kind = KINDS.find((each) => each === kindText);
if (kind === undefined) throw new Error(`${kindText} is none of ${KINDS.join(', ')}`);
if (kind === 'bare amqplib') await serveBare();
else await serve(kind);
process.once('disconnect', () => process.exit());
process.send?.('serves');

async function serve(served: Kind): Promise<void> {
  const transportUrl = new Secret(url);
  const bus = await createAmqpBus({ transportUrl, connectionName: 'bench', logger: silentLogger, waitConnected: true });
  const refused = async (): Promise<never> => {
    throw new Error('not part of the benchmark');
  };
  const server = createTaskmanagerServer({
    bus,
    controlKeys: controlKeysOf(served),
    controlExchange: 'trove',
    host: 'bench',
    callSlots: SLOTS,
    logger: silentLogger,
    handlers: {
      run_task: async () => null,
      list_databases: async () => [ANSWER, null],
      create_database: refused,
      delete_database: refused,
      list_users: refused,
      create_user: refused,
    },
  });
  await server.start();
}

/** Request and reply as amqplib alone does it: transient messages, no confirms, no deadline, no check, JSON on both ends. */
async function serveBare(): Promise<void> {
  const link = await connect(url, { noDelay: true });
  const channel = await link.createChannel();
  const answer = JSON.stringify(ANSWER);
  await channel.assertQueue(BARE_QUEUE, { durable: false, autoDelete: true });
  await channel.prefetch(SLOTS);
  await channel.consume(BARE_QUEUE, (message) => {
    if (message === null) return;
    JSON.parse(message.content.toString('utf8'));
    const { replyTo, correlationId } = message.properties;
    channel.sendToQueue(String(replyTo), Buffer.from(answer), { correlationId });
    channel.ack(message);
  });
}
