import { type Logger, type Secret, silentLogger, systemClock } from '@trove/common';
import type { ConsumeOptions, Delivery } from './bus.ts';
import { type Link, type LinkConsumer, LinkLost, settleOnce } from './link.ts';
import { ManagedBus } from './managed_bus.ts';
import { MemoryAccounts } from './memory_accounts.ts';
import { MemoryExchanges } from './memory_exchanges.ts';
import type { HeldMessage, MemoryQueue, QueueConsumer } from './memory_queue.ts';
import type { MemoryBroker, MemoryLogin } from './options.ts';
import { enterWith } from './passwords.ts';

const TIMEOUT_MS = 5000;

/** A broker inside this process, with the semantics of RabbitMQ that this project relies on. */
export function createMemoryBroker(options: { readonly logger?: Logger } = {}): MemoryBroker {
  const logger = options.logger ?? silentLogger;
  const exchanges = new MemoryExchanges();
  const links = new Set<MemoryLink>();
  const linksOf = (user: string): MemoryLink[] => [...links].filter((link) => link.user === user);
  const accounts = new MemoryAccounts((user) => {
    for (const link of linksOf(user)) void link.close();
  });
  return {
    accounts,
    hasQueue: (name) => exchanges.hasQueue(name),
    queueNames: () => exchanges.queueNames(),
    bus: (login) => {
      const { user = '', secret, passwords } = login ?? {};
      const open = (): Link => {
        const link = new MemoryLink(exchanges, accounts, login, () => links.delete(link));
        links.add(link);
        return link;
      };
      const enter = async (password: Secret): Promise<Link> => {
        accounts.login(user, password, linksOf(user).length);
        return open();
      };
      const openLink = async (): Promise<Link> => {
        if (passwords !== undefined) return enterWith(passwords, enter);
        return secret === undefined ? open() : enter(secret);
      };
      return new ManagedBus({ openLink, logger, clock: systemClock, timeoutMs: TIMEOUT_MS });
    },
    tap: (listener) => {
      exchanges.taps.add(listener);
      return () => exchanges.taps.delete(listener);
    },
    cut: () => {
      for (const link of [...links]) void link.close();
    },
  };
}

class MemoryLink implements Link {
  readonly blocked = undefined;
  readonly user: string | undefined;
  readonly #exchanges: MemoryExchanges;
  /** Asked before each act; undefined for a connection of the control plane itself, which has no walls. */
  readonly #walls: { readonly accounts: MemoryAccounts; readonly user: string } | undefined;
  readonly #onClosed: () => void;
  readonly #ending = Promise.withResolvers<void>();
  readonly #consumers = new Set<{ queue: MemoryQueue; consumer: QueueConsumer }>();
  #open = true;

  constructor(
    exchanges: MemoryExchanges,
    accounts: MemoryAccounts,
    login: MemoryLogin | undefined,
    onClosed: () => void,
  ) {
    this.#exchanges = exchanges;
    this.user = login?.user;
    const isOurs = login?.secret === undefined && login?.passwords === undefined;
    this.#walls = isOurs ? undefined : { accounts, user: login.user };
    this.#onClosed = onClosed;
  }

  get closed(): Promise<void> {
    return this.#ending.promise;
  }

  readonly declare: Link['declare'] = async (topology) => {
    this.#check((accounts, user) => accounts.mayDeclare(user, topology));
    this.#exchanges.declare(topology, this);
  };

  readonly publish: Link['publish'] = async (publication) => {
    this.#check((accounts, user) => accounts.mayPublish(user, publication));
    try {
      this.#exchanges.publish(publication, publication.userId ?? this.user);
    } catch (error) {
      if (publication.confirm !== false) throw error;
    }
  };

  readonly deleteQueue: Link['deleteQueue'] = async (name) => {
    this.#check((accounts, user) => accounts.mayDelete(user, name));
    this.#exchanges.deleteQueue(name);
  };

  readonly consume: Link['consume'] = async (name, options, onDelivery, onEnded): Promise<LinkConsumer> => {
    this.#check((accounts, user) => accounts.mayRead(user, name));
    const queue = this.#exchanges.queue(name, this);
    const consumer = makeConsumer(queue, options, onDelivery, onEnded);
    if (!queue.addConsumer(consumer)) throw new Error('another consumer has the queue to itself');
    const entry = { queue, consumer };
    this.#consumers.add(entry);
    return {
      cancel: async () => queue.removeConsumer(consumer),
      release: async () => {
        this.#consumers.delete(entry);
        release(queue, consumer);
      },
    };
  };

  readonly close = async (): Promise<void> => {
    if (!this.#open) return;
    this.#open = false;
    for (const { queue, consumer } of this.#consumers) release(queue, consumer);
    this.#exchanges.forget(this);
    this.#onClosed();
    this.#ending.resolve();
  };

  #check(may: (accounts: MemoryAccounts, user: string) => void): void {
    if (!this.#open) throw new LinkLost('the link is closed');
    if (this.#walls !== undefined) may(this.#walls.accounts, this.#walls.user);
  }
}

function release(queue: MemoryQueue, consumer: QueueConsumer): void {
  queue.removeConsumer(consumer);
  const back = [...consumer.unsettled];
  consumer.unsettled.clear();
  queue.giveBack(back);
}

function makeConsumer(
  queue: MemoryQueue,
  options: ConsumeOptions,
  onDelivery: (delivery: Delivery) => void,
  onEnded: () => void,
): QueueConsumer {
  const unsettled = new Set<HeldMessage>();
  // A turn of the event loop between broker and consumer, as over a socket.
  const take = (message: HeldMessage): void => {
    setImmediate(() => onDelivery(toDelivery(queue, unsettled, message)));
  };
  const { exclusive = false, noAck = false, prefetch } = options;
  return { exclusive, noAck, prefetch, unsettled, take, onEnded };
}

function toDelivery(queue: MemoryQueue, unsettled: Set<HeldMessage>, message: HeldMessage): Delivery {
  const settle = settleOnce((how) => {
    // Taken back already: its link has ended.
    if (!unsettled.delete(message)) return;
    if (how === 'ack') queue.pump();
    else if (how === 'reject') queue.reject(message);
    else queue.giveBack([message]);
  });
  const { exchange, routingKey, body, contentType, headers, messageId } = message.publication;
  return {
    exchange,
    routingKey,
    body: Buffer.from(body),
    contentType,
    headers: headers ?? {},
    messageId,
    userId: message.userId,
    redelivered: message.redelivered,
    ...settle,
  };
}
