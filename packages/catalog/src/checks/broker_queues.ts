import type { Finding } from './findings.ts';
import { type BrokerQueue, type BrokerReading, instanceOfQueue } from './outside.ts';

const DEAD_LETTERS = 'trove.dead';

/** I10: messages that nobody takes, and those that were given up. A guest that is stopped may have some: they expire. */
export function queuesThatStand({ queues }: BrokerReading): readonly Finding[] {
  return queues.flatMap((queue) => {
    if (queue.messages === 0 || instanceOfQueue(queue.name) !== undefined) return [];
    if (queue.name === DEAD_LETTERS)
      return about(
        queue,
        'dead letters wait to be explained',
        'Read x-death of each, find out why, and purge the queue.',
      );
    if (queue.consumers > 0) return [];
    return about(queue, 'messages and nobody who takes them', 'Start the service that the queue is named for.');
  });
}

function about({ name, messages }: BrokerQueue, what: string, todo: string): Finding {
  return { key: `queue:${name}`, instanceId: null, what: `queue ${name} has ${messages} ${what}`, since: null, todo };
}
