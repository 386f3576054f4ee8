import { Secret, silentLogger } from '@trove/common';
import { testBroker } from '@trove/testkit';
import { type Contender, loadFor, type Measurement, measure } from '@trove/testkit/bench';
import {
  type Bus,
  type ControlKeys,
  createAmqpBus,
  createTaskmanagerClient,
  createTaskmanagerServer,
  type TaskmanagerClient,
} from '../src/index.ts';
import { bareCaller } from './bare_caller.ts';

const SEALED: ControlKeys = { ring: [new Secret('a-key-of-the-benchmark-and-nothing-else')] };
const CLEAR: ControlKeys = { ring: [] };
const ROUND_MS = 1500;
const ROUNDS = 5;
const FIRST = 2;
const INSTANCE_ID = '2d0ae35b-7f5c-4d3b-a0a5-93f2a4e1b0c7';

/** About 200 bytes of arguments, and an answer of five databases. */
const ARGS = { instance_id: INSTANCE_ID, limit: 20, marker: 'm'.repeat(120), include_marker: false };
const ANSWER = Array.from({ length: 5 }, (_, i) => ({ _name: `database${i}` }));

interface Pair {
  readonly client: TaskmanagerClient;
  /** The sizes of the bodies that both ends have published, in their order. */
  readonly sent: number[];
}

/** Calls and casts over the same RabbitMQ: in clear (the baseline), sealed, and by amqplib alone. */
export async function benchCalls(): Promise<Measurement[]> {
  const broker = await testBroker();
  const closers: (() => Promise<void>)[] = [() => broker.dispose()];
  try {
    const plaintext = await openPair(broker.url, CLEAR, closers);
    const sealed = await openPair(broker.url, SEALED, closers);
    const sizes = [await sizesOf('plaintext', plaintext), await sizesOf('sealed', sealed)];
    const bare = await bareCaller(broker.url, JSON.stringify(ARGS), JSON.stringify(ANSWER));
    closers.unshift(() => bare.close());
    const measurements: Measurement[] = [
      await measure({
        name: 'one call on the wire',
        conditions: `bodies as published, ${JSON.stringify(ARGS).length} B of arguments, ${JSON.stringify(ANSWER).length} B of result`,
        rounds: 1,
        contenders: sizes,
      }),
    ];
    for (const inFlight of [1, 16, 64]) {
      measurements.push(
        await measure({
          name: `calls, ${inFlight} in flight`,
          conditions: `${JSON.stringify(ARGS).length} B of arguments, client and server in one process, ${ROUND_MS} ms a round`,
          rounds: ROUNDS,
          contenders: [
            { name: 'plaintext', run: () => loadFor(ROUND_MS, inFlight, () => call(plaintext)) },
            { name: 'sealed', run: () => loadFor(ROUND_MS, inFlight, () => call(sealed)) },
            { name: 'bare amqplib', run: () => loadFor(ROUND_MS, inFlight, () => bare.call()) },
          ],
        }),
      );
    }
    measurements.push(
      await measure({
        name: 'casts, 64 in flight',
        conditions: 'confirmed by the broker one by one; clear: transient classic queue, sealed: durable quorum queue',
        rounds: ROUNDS,
        contenders: [castsBy('plaintext', plaintext), castsBy('sealed', sealed)],
      }),
    );
    return measurements;
  } finally {
    for (const close of closers) await close();
  }
}

async function sizesOf(name: string, pair: Pair): Promise<Contender> {
  pair.sent.length = 0;
  await call(pair);
  const [request = Number.NaN, reply = Number.NaN] = pair.sent;
  return { name, run: async () => ({ 'request B': request, 'reply B': reply, 'both B': request + reply }) };
}

function call({ client }: Pair): Promise<unknown> {
  return client.call('list_databases', ARGS, { deadlineMs: 10_000 });
}

function castsBy(name: string, { client }: Pair): Contender {
  return { name, run: () => loadFor(ROUND_MS, 64, () => client.cast('run_task', { task_id: INSTANCE_ID })) };
}

async function openPair(url: string, controlKeys: ControlKeys, closers: (() => Promise<void>)[]): Promise<Pair> {
  const sent: number[] = [];
  const open = async (connectionName: string): Promise<Bus> => {
    const transportUrl = new Secret(url);
    const bus = await createAmqpBus({ transportUrl, connectionName, logger: silentLogger, waitConnected: true });
    return watched(bus, sent);
  };
  const [serverBus, clientBus] = await Promise.all([open('bench server'), open('bench client')]);
  const refused = async (): Promise<never> => {
    throw new Error('not part of the benchmark');
  };
  const server = createTaskmanagerServer({
    bus: serverBus,
    controlKeys,
    controlExchange: 'trove',
    host: 'bench',
    callSlots: 256,
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
  const client = createTaskmanagerClient({
    bus: clientBus,
    controlKeys,
    controlExchange: 'trove',
    logger: silentLogger,
  });
  closers.unshift(async () => {
    await client.close();
    await server.close();
    await clientBus.close();
    await serverBus.close();
  });
  return { client, sent };
}

/** The bus, which tells the sizes of the first bodies that are published over it. */
function watched(bus: Bus, sent: number[]): Bus {
  const publish = bus.publish.bind(bus);
  bus.publish = (publication) => {
    if (sent.length < FIRST) sent.push(publication.body.length);
    return publish(publication);
  };
  return bus;
}
