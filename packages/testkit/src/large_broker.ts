import { findRabbitmq, startRabbitmq } from './rabbitmq.ts';

export interface LargeBroker {
  /** `amqp://user:password@127.0.0.1:port/?management_port=…`, as `TROVE_TEST_AMQP_URL` has it. */
  url: string;
  dispose(): Promise<void>;
}

/** A RabbitMQ of one's own, for more than the one that tests share has room for; `memory` is its limit, `3GB`. */
export async function largeBroker(memory: string): Promise<LargeBroker> {
  const binaries = findRabbitmq();
  if (binaries === undefined) throw new Error('this needs rabbitmq-server on this machine');
  const { url, stop } = await startRabbitmq(binaries, { memory });
  return { url, dispose: stop };
}
