import { setTimeout as delay } from 'node:timers/promises';
import type { BrokerReading, BusTap, TappedOnBus } from '@trove/catalog';
import { deploymentsIn, readSeen } from '@trove/crypto-rpc';
import type { TestBroker } from '@trove/testkit';
import { type Channel, type ChannelModel, type ConsumeMessage, connect, type Options } from 'amqplib';

const KEPT = 200;
const KEPT_IN_CLEAR = 10_000;
const TAP_AGAIN_MS = 500;

interface Traced {
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Buffer;
  readonly options: Options.Publish;
}

/** What an operator, or an accident, does to a broker from behind. */
export class BrokerHands {
  readonly #broker: TestBroker;
  readonly #base: string;
  readonly #headers: Record<string, string>;
  #connection: ChannelModel | undefined;
  #channel: Channel | undefined;
  #tapping: Promise<Channel> | undefined;
  #traced: Traced[] = [];
  #sealed = 0;
  #inClear: TappedOnBus[] = [];
  #isClosed = false;

  constructor(broker: TestBroker) {
    const url = new URL(broker.managementUrl);
    const account = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    this.#broker = broker;
    this.#base = `${url.protocol}//${url.host}/api`;
    this.#headers = {
      authorization: `Basic ${Buffer.from(account).toString('base64')}`,
      'content-type': 'application/json',
    };
  }

  async read(): Promise<BrokerReading> {
    const permissions = (await this.#get(`/vhosts/${this.#broker.vhost}/permissions`)) as { user: string }[];
    const topics = (await this.#get(`/vhosts/${this.#broker.vhost}/topic-permissions`)) as {
      user: string;
      exchange: string;
    }[];
    const queues = (await this.#get(`/queues/${this.#broker.vhost}?disable_stats=true&enable_queue_totals=true`)) as {
      name: string;
      messages?: number;
    }[];
    const consumers = (await this.#get(`/consumers/${this.#broker.vhost}`)) as { queue: { name: string } }[];
    return {
      accounts: permissions.map(({ user }) => user),
      marks: new Map(
        [...Map.groupBy(topics, ({ user }) => user)].map(([user, own]) => [
          user,
          deploymentsIn(own.map(({ exchange }) => exchange)),
        ]),
      ),
      queues: queues.map(({ name, messages = 0 }) => ({
        ...{ name, messages },
        consumers: consumers.filter(({ queue }) => queue.name === name).length,
      })),
    };
  }

  /** Of those that are not one connection's own. */
  async queueNames(): Promise<readonly string[]> {
    const queues = (await this.#get(`/queues/${this.#broker.vhost}?disable_stats=true`)) as {
      name: string;
      exclusive: boolean;
    }[];
    return queues.filter(({ exclusive }) => !exclusive).map(({ name }) => name);
  }

  /** How many connections the broker reads nothing of, for want of memory or disk. */
  async blockedConnections(): Promise<number> {
    const connections = (await this.#get('/connections')) as { state?: string }[];
    return connections.filter(({ state }) => state === 'blocked').length;
  }

  /** Publishes so many messages to an exchange. Resolves when the broker has them. */
  async fill(exchange: string, routingKey: string, messages: number): Promise<void> {
    const connection = await connect(this.#broker.url);
    try {
      const channel = await connection.createConfirmChannel();
      for (let sent = 0; sent < messages; sent += 1) channel.publish(exchange, routingKey, Buffer.from(`${sent}`));
      await channel.waitForConfirms();
    } finally {
      await connection.close();
    }
  }

  /** Every message that waits in it is lost. */
  async purge(queue: string): Promise<void> {
    await this.#send('DELETE', `/queues/${this.#broker.vhost}/${encodeURIComponent(queue)}/contents`);
  }

  /** Ends every connection of an account, as an operator does in the management page; it may come again. */
  async disconnect(account: string): Promise<void> {
    const path = `/vhosts/${this.#broker.vhost}/connections`;
    const connections = (await this.#get(path)) as { name: string; user: string }[];
    for (const { name, user } of connections)
      if (user === account) await this.#send('DELETE', `/connections/${encodeURIComponent(name)}`);
  }

  async deleteQueue(queue: string): Promise<void> {
    await this.#send('DELETE', `/queues/${this.#broker.vhost}/${encodeURIComponent(queue)}`);
  }

  /** As a node that was set up anew: exchanges, queues, bindings, messages and permissions are gone; accounts stay. */
  async wipe(): Promise<void> {
    const url = new URL(this.#broker.url);
    await this.#send('DELETE', `/vhosts/${this.#broker.vhost}`);
    await this.#send('PUT', `/vhosts/${this.#broker.vhost}`);
    const all = JSON.stringify({ configure: '.*', write: '.*', read: '.*' });
    await this.#send('PUT', `/permissions/${this.#broker.vhost}/${decodeURIComponent(url.username)}`, all);
    this.#channel = undefined;
  }

  /** Publishes again, as they were, up to so many of the latest messages of the control plane. Returns how many. */
  async repeat(count: number): Promise<number> {
    const channel = await this.#tap();
    // The broker lets nobody publish under the name of another account.
    const own = decodeURIComponent(new URL(this.#broker.url).username);
    const mine = this.#traced.filter(({ options }) => options.userId === undefined || options.userId === own);
    for (const { exchange, routingKey, content, options } of mine.slice(-count))
      channel.publish(exchange, routingKey, content, options);
    return Math.min(count, mine.length);
  }

  /** Begins to keep the latest messages, for `repeat`, and all in clear, for `tapped`; what passes while the broker is away it does not see. */
  async watch(): Promise<void> {
    await this.#tap();
  }

  /** What has passed since `watch`, for the checks. */
  tapped(): BusTap {
    return {
      read: async (look) => {
        for (const message of this.#inClear) look(message);
        const sealed = { isSealed: true, amongSealed: true, method: undefined, instanceIds: [] };
        for (let left = this.#sealed; left > 0; left -= 1) look({ exchange: '', routingKey: '', text: '', ...sealed });
        return { notChecked: this.#inClear.length < KEPT_IN_CLEAR ? [] : ['the bus: more in clear than was kept'] };
      },
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#connection?.close().catch(() => undefined);
  }

  #tap(): Promise<Channel> {
    if (this.#channel !== undefined) return Promise.resolve(this.#channel);
    this.#tapping ??= this.#openTap().finally(() => {
      this.#tapping = undefined;
    });
    return this.#tapping;
  }

  async #openTap(): Promise<Channel> {
    await this.#send('PUT', `/vhosts/${this.#broker.vhost}`, JSON.stringify({ tracing: true }));
    await this.#connection?.close().catch(() => undefined);
    this.#connection = await connect(this.#broker.url);
    this.#connection.on('error', () => undefined);
    this.#connection.on('close', () => {
      this.#channel = undefined;
      void this.#tapAgain();
    });
    const channel = await this.#connection.createChannel();
    channel.on('error', () => undefined);
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, 'amq.rabbitmq.trace', 'publish.#');
    await channel.consume(queue, (message) => this.#keep(message), { noAck: true });
    this.#channel = channel;
    return channel;
  }

  async #tapAgain(): Promise<void> {
    while (!this.#isClosed && this.#channel === undefined) {
      await delay(TAP_AGAIN_MS);
      await this.#tap().catch(() => undefined);
    }
  }

  #keep(message: ConsumeMessage | null): void {
    if (message === null) return;
    const { exchange_name, routing_keys, properties } = message.properties.headers as {
      exchange_name: string;
      routing_keys: string[];
      properties: Record<string, string | number | Record<string, unknown> | undefined>;
    };
    const options = Object.fromEntries(
      Object.entries(properties).map(([name, value]) => [
        name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
        value,
      ]),
    ) as Options.Publish;
    const one = { exchange: exchange_name, routingKey: routing_keys[0] ?? '', content: message.content, options };
    const { exchange, routingKey, content: body } = one;
    const seen = readSeen({ exchange, routingKey, body });
    if (seen.isSealed) this.#sealed += 1;
    else if (this.#inClear.length < KEPT_IN_CLEAR)
      this.#inClear.push({ exchange, routingKey, ...seen, text: body.toString('latin1') });
    this.#traced = [...this.#traced.slice(1 - KEPT), one];
  }

  async #get(path: string): Promise<unknown> {
    const response = await fetch(this.#base + path, { headers: this.#headers });
    if (!response.ok) throw new Error(`the broker answered ${path} with ${response.status}`);
    return await response.json();
  }

  async #send(method: 'PUT' | 'DELETE', path: string, body?: string): Promise<void> {
    const response = await fetch(this.#base + path, {
      method,
      headers: this.#headers,
      ...(body !== undefined && { body }),
    });
    await response.arrayBuffer();
    if (!response.ok && response.status !== 404)
      throw new Error(`the broker answered ${method} ${path} with ${response.status}`);
  }
}
