import { conductorApi, guestApi, taskmanagerApi } from '@trove/contracts';
import { type OsloRequest, parseRequest } from '../codecs/oslo/envelope.ts';
import { claimedSender } from '../codecs/oslo/v1.ts';
import { parseHeader } from '../codecs/v2/header.ts';
import { DOWN_EXCHANGE, REPLY_EXCHANGE, SEALED_TOPOLOGY, TASKS_EXCHANGE, UP_EXCHANGE } from '../rpc/topology.ts';

/** One message as an onlooker on the broker has it. */
export interface OnBus {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
}

/** What can be told of a message without any key. */
export interface SeenOnBus {
  /** One whole v2 envelope by its clear part. What is under the seal only its receiver can tell. */
  readonly isSealed: boolean;
  /** An exchange or a queue on which v2 peers speak and nobody else. */
  readonly amongSealed: boolean;
  /** Of Trove's messages in clear: the method, where it is one that there is; its text is nobody's to choose. */
  readonly method: string | undefined;
  /** Instances that it is for, or says that it is from; of an answer in clear nothing tells. */
  readonly instanceIds: readonly string[];
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const SEALED_EXCHANGES: ReadonlySet<string> = new Set([TASKS_EXCHANGE, DOWN_EXCHANGE, UP_EXCHANGE, REPLY_EXCHANGE]);
const SEALED_QUEUES: ReadonlySet<string> = new Set((SEALED_TOPOLOGY.queues ?? []).map(({ name }) => name));
const PEERS_QUEUE = /^(?:guest\.[0-9a-f-]{36}|reply\.[0-9a-f]{16})$/;
const METHODS: ReadonlySet<string> = new Set(
  [guestApi, conductorApi, taskmanagerApi].flatMap((api) => Object.values(api).map(({ name }) => name)),
);

/**
 * Reads one message; what it cannot read is neither sealed nor one of Trove's. `sealedTopics`: of Trove's own topics those
 * on which this deployment says nothing, since what went there is said sealed now.
 */
export function readSeen({ exchange, routingKey, body }: OnBus, sealedTopics: readonly string[] = []): SeenOnBus {
  // Through the default exchange a message reaches the queue that its key names.
  const queue = exchange === '' ? routingKey : undefined;
  const amongSealed =
    SEALED_EXCHANGES.has(exchange) ||
    (queue !== undefined && (SEALED_QUEUES.has(queue) || PEERS_QUEUE.test(queue))) ||
    sealedTopics.some((topic) => routingKey === topic || routingKey.startsWith(`${topic}.`));
  if (isEnvelope(body)) return { isSealed: true, amongSealed, method: undefined, instanceIds: [] };
  const request = requestIn(body);
  const claimed = request && (claimedSender(request.context) ?? request.args['instance_id']);
  const named = [
    ...(routingKey.match(UUID) ?? []),
    ...(typeof claimed === 'string' ? (claimed.match(UUID) ?? []) : []),
  ];
  const method = request?.method;
  return {
    isSealed: false,
    amongSealed,
    method: method !== undefined && METHODS.has(method) ? method : undefined,
    instanceIds: [...new Set(named)],
  };
}

function isEnvelope(body: Buffer): boolean {
  try {
    parseHeader(body);
    return true;
  } catch {
    return false;
  }
}

function requestIn(body: Buffer): OsloRequest | undefined {
  try {
    return parseRequest(body);
  } catch {
    return undefined;
  }
}
