import { TroveError } from '@trove/common';
import type { Channel, ChannelModel, ConfirmChannel, Options } from 'amqplib';
import type { Publication } from './bus.ts';
import { LinkLost } from './link.ts';

/** A publication that rides on channels which others made the broker close is carried over this often. */
const MOST_ATTEMPTS = 10;

interface Pending {
  readonly publication: Publication;
  returned: boolean;
}

interface OpenChannel {
  readonly channel: ConfirmChannel;
  readonly pending: Set<Pending>;
  /** Why the broker closed it, where it did. */
  reason: string;
}

/**
 * Publishes with confirms over one channel, which it opens again when a publication made the broker close it, and what needs
 * none over another.
 */
export class AmqpPublisher {
  readonly #connection: ChannelModel;
  readonly #gather: () => void;
  #open: Promise<OpenChannel> | undefined;
  #plain: Promise<Channel> | undefined;

  /** @param gather called after each write */
  constructor(connection: ChannelModel, gather: () => void) {
    this.#connection = connection;
    this.#gather = gather;
  }

  publish(publication: Publication): Promise<void> {
    return publication.confirm === false ? this.#send(publication) : this.#confirm(publication, 1);
  }

  async #send(publication: Publication): Promise<void> {
    this.#plain ??= this.#openPlain();
    const channel = await this.#plain;
    const { exchange, routingKey, body } = publication;
    try {
      channel.publish(exchange, routingKey, body, publishOptions(publication));
      this.#gather();
    } catch (error) {
      throw new LinkLost('channel ended', { cause: error });
    }
  }

  async #confirm(publication: Publication, attempt: number): Promise<void> {
    const open = await this.#channel();
    const pending: Pending = { publication, returned: false };
    open.pending.add(pending);
    try {
      const taken = confirmed(open.channel, publication);
      this.#gather();
      await taken;
    } catch (error) {
      return await this.#afterFailure(open, publication, attempt, error);
    } finally {
      open.pending.delete(pending);
    }
    if (pending.returned) throw new TroveError('RPC_REFUSED', 'Nobody takes this message.');
  }

  async #afterFailure(open: OpenChannel, publication: Publication, attempt: number, error: unknown): Promise<void> {
    if (error instanceof Error && error.message === 'message nacked') {
      throw new TroveError('RPC_REFUSED', 'The queue is full.', { retryable: true, cause: error });
    }
    if (open.reason === '') throw new LinkLost('connection ended', { cause: error });
    const culprit =
      open.reason.includes(`'${publication.exchange}'`) || open.pending.size === 1 || attempt === MOST_ATTEMPTS;
    if (culprit) {
      throw new TroveError('RPC_REFUSED', 'The broker refused the message.', { cause: new Error(open.reason) });
    }
    // Another publication made the broker close the channel that carried this one too.
    return await this.#confirm(publication, attempt + 1);
  }

  #channel(): Promise<OpenChannel> {
    this.#open ??= this.#openChannel().catch((error: unknown) => {
      this.#open = undefined;
      throw new LinkLost('no channel', { cause: error });
    });
    return this.#open;
  }

  async #openPlain(): Promise<Channel> {
    try {
      const channel = await this.#connection.createChannel();
      // The broker closes it for what it refuses; without a listener that would end the process.
      channel.on('error', () => {});
      channel.on('close', () => {
        this.#plain = undefined;
      });
      return channel;
    } catch (error) {
      this.#plain = undefined;
      throw new LinkLost('no channel', { cause: error });
    }
  }

  async #openChannel(): Promise<OpenChannel> {
    const channel = await this.#connection.createConfirmChannel();
    const open: OpenChannel = { channel, pending: new Set(), reason: '' };
    channel.on('error', (error: Error) => {
      open.reason = error.message;
    });
    channel.on('close', () => {
      this.#open = undefined;
    });
    channel.on('return', (message) => {
      // The broker returns before it confirms, and tells the message by nothing but its content.
      for (const pending of open.pending) {
        const { exchange, routingKey, body } = pending.publication;
        const same = exchange === message.fields.exchange && routingKey === message.fields.routingKey;
        if (same && !pending.returned && body.equals(message.content)) {
          pending.returned = true;
          return;
        }
      }
    });
    return open;
  }
}

function confirmed(channel: ConfirmChannel, publication: Publication): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { exchange, routingKey, body } = publication;
  channel.publish(exchange, routingKey, body, publishOptions(publication), (error: unknown) => {
    if (error === null || error === undefined) resolve();
    else reject(error instanceof Error ? error : new Error('not confirmed'));
  });
  return promise;
}

function publishOptions(publication: Publication): Options.Publish {
  const { contentType, contentEncoding, headers, messageId, userId, expirationMs, persistent, priority, mandatory } =
    publication;
  return {
    contentType,
    persistent,
    mandatory,
    ...(contentEncoding === undefined ? {} : { contentEncoding }),
    ...(headers === undefined ? {} : { headers }),
    ...(messageId === undefined ? {} : { messageId }),
    ...(userId === undefined ? {} : { userId }),
    ...(expirationMs === undefined ? {} : { expiration: Math.max(0, Math.ceil(expirationMs)) }),
    ...(priority === undefined ? {} : { priority }),
  };
}
