import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Secret, silentLogger } from '@trove/common';
import { testBroker } from '@trove/testkit';
import { type Contender, loadFor, type Measurement, measure } from '@trove/testkit/bench';
import { type Bus, createAmqpBus, createTaskmanagerClient, type TaskmanagerClient } from '../src/index.ts';
import { bareCaller } from './bare_caller.ts';
import { ANSWER, ARGS, controlKeysOf, INSTANCE_ID, KINDS, type Kind } from './workload.ts';

const ROUND_MS = 1500;
const ROUNDS = 5;

interface Caller {
  readonly client: TaskmanagerClient;
  /** The sizes of the bodies that were sent and received, in their order. */
  readonly bodies: number[];
}

/** Calls and casts between two processes over the same RabbitMQ: in clear (the baseline), sealed, and by amqplib alone. */
export async function benchCalls(): Promise<Measurement[]> {
  const broker = await testBroker();
  const closers: (() => Promise<void>)[] = [() => broker.dispose()];
  try {
    for (const kind of KINDS) closers.unshift(await startCalled(kind, broker.url));
    const plaintext = await openCaller(broker.url, 'plaintext', closers);
    const sealed = await openCaller(broker.url, 'sealed', closers);
    const bare = await bareCaller(broker.url, JSON.stringify(ARGS));
    closers.unshift(() => bare.close());
    const measurements: Measurement[] = [
      await measure({
        name: 'one call on the wire',
        conditions: `bodies, ${JSON.stringify(ARGS).length} B of arguments, ${JSON.stringify(ANSWER).length} B of result`,
        rounds: 1,
        contenders: [await sizesOf('plaintext', plaintext), await sizesOf('sealed', sealed)],
      }),
    ];
    for (const inFlight of [1, 16, 64]) {
      measurements.push(
        await measure({
          name: `calls, ${inFlight} in flight`,
          conditions: `${JSON.stringify(ARGS).length} B of arguments, caller and called in a process each, ${ROUND_MS} ms a round`,
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

/** Starts the side that is called; returns how to end it. */
async function startCalled(kind: Kind, url: string): Promise<() => Promise<void>> {
  const child = fork(new URL('./called_process.ts', import.meta.url).pathname, [kind], {
    env: { ...process.env, CALLED_URL: url },
  });
  const [said] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [unknown];
  if (said !== 'serves') throw new Error(`the process that is called by ${kind} ended`);
  return async () => {
    child.kill();
    await once(child, 'exit');
  };
}

async function sizesOf(name: string, caller: Caller): Promise<Contender> {
  caller.bodies.length = 0;
  await call(caller);
  const [request = Number.NaN, reply = Number.NaN] = caller.bodies;
  return { name, run: async () => ({ 'request B': request, 'reply B': reply, 'both B': request + reply }) };
}

function call({ client }: Caller): Promise<unknown> {
  return client.call('list_databases', ARGS, { deadlineMs: 10_000 });
}

function castsBy(name: string, { client }: Caller): Contender {
  return { name, run: () => loadFor(ROUND_MS, 64, () => client.cast('run_task', { task_id: INSTANCE_ID })) };
}

async function openCaller(url: string, kind: Kind, closers: (() => Promise<void>)[]): Promise<Caller> {
  const transportUrl = new Secret(url);
  const bus = await createAmqpBus({ transportUrl, connectionName: 'bench', logger: silentLogger, waitConnected: true });
  const bodies: number[] = [];
  const client = createTaskmanagerClient({
    bus: watched(bus, bodies),
    controlKeys: controlKeysOf(kind),
    controlExchange: 'trove',
    logger: silentLogger,
  });
  closers.unshift(async () => {
    await client.close();
    await bus.close();
  });
  return { client, bodies };
}

/** The bus, which tells the sizes of two bodies at a time: what is sent over it, and what comes back. */
function watched(bus: Bus, bodies: number[]): Bus {
  const tell = (body: Buffer): void => {
    if (bodies.length < 2) bodies.push(body.length);
  };
  const publish = bus.publish.bind(bus);
  bus.publish = (publication) => {
    tell(publication.body);
    return publish(publication);
  };
  const consume = bus.consume.bind(bus);
  bus.consume = (queue, options, onDelivery) =>
    consume(queue, options, (delivery) => {
      tell(delivery.body);
      return onDelivery(delivery);
    });
  return bus;
}
