import { randomBytes } from 'node:crypto';
import { type Clock, systemClock, TroveError } from '@trove/common';
import { type ArgsOf, type ConductorApi, conductorApi, type GuestApi, guestApi, type ResultOf } from '@trove/contracts';
import type { Delivery, Subscription } from '../bus/bus.ts';
import { ZERO_16 } from '../codecs/v2/header.ts';
import { createOpener } from '../codecs/v2/open.ts';
import { CONDUCTOR, guestParty, type Party } from '../codecs/v2/party.ts';
import { requestText } from '../codecs/v2/payload.ts';
import { createSealer, type Sealer } from '../codecs/v2/seal.ts';
import type { HeldKeysFile } from '../keys/held_keys.ts';
import { createClearGuestServer } from './clear_guest_server.ts';
import { dispatch, type HandlerTable } from './dispatch.ts';
import { EVENT_LIFE_MS, GuestFreshness, HEARTBEAT_LIFE_MS } from './freshness.ts';
import { GuestKeyring } from './guest_keyring.ts';
import { receive } from './pipeline.ts';
import { SEALED_CONTENT_TYPE } from './sealed_caller.ts';
import { headerOf, openingChecks, present, requestChecks, type SealedRequest } from './sealed_checks.ts';
import { type ResponderOptions, respond } from './sealed_responder.ts';
import { eventKey, guestQueue, heartbeatKey, UP_EXCHANGE } from './topology.ts';
import type { GuestServer, GuestServerOptions } from './types.ts';

const REQUESTS_AT_A_TIME = 10;

/** The agent's side: v2 with a key, else plaintext as Trove's agents speak it. */
export function createGuestServer(options: GuestServerOptions): GuestServer {
  return options.keys === undefined ? createClearGuestServer(options) : new SealedGuestServer(options, options.keys);
}

class SealedGuestServer implements GuestServer {
  readonly #options: GuestServerOptions;
  readonly #clock: Clock;
  readonly #me: Party;
  readonly #keyring: GuestKeyring;
  readonly #sealer: Sealer;
  readonly #checks;
  readonly #responder: ResponderOptions;
  readonly #freshness: GuestFreshness;
  #subscription: Subscription | undefined;
  #bootNonce = randomBytes(16);
  #sequence = 0n;

  constructor(options: GuestServerOptions, keys: HeldKeysFile) {
    const clock = options.clock ?? systemClock;
    const keyring = new GuestKeyring(keys, clock);
    const freshness = new GuestFreshness(clock);
    this.#options = options;
    this.#freshness = freshness;
    // Sealed by the catalog's time as soon as it is known.
    this.#clock = { ...clock, now: () => freshness.now() ?? clock.now() };
    this.#me = guestParty(options.instanceId);
    this.#keyring = keyring;
    this.#sealer = createSealer(() => clock.monotonic());
    this.#responder = {
      bus: options.bus,
      me: this.#me,
      name: options.instanceId,
      sealer: this.#sealer,
      clock: this.#clock,
      account: options.account,
      bootNonce: () => this.#bootNonce,
      confirm: true,
    };
    const opening = openingChecks({
      me: this.#me,
      allowed: [{ role: 'taskmanager', kinds: ['call'] }],
      findSender: () => ({ policy: 2, rootKey: (version) => keyring.downlink(version) }),
      opener: createOpener(() => clock.monotonic()),
    });
    const judge = (message: SealedRequest): void => {
      const { keyVersion, issued } = headerOf(message);
      keyring.admit(keyVersion, present(message.request, 'content').method, { issued, now: freshness.now() });
      message.stale = !freshness.take(headerOf(message), this.#bootNonce);
    };
    this.#checks = [...opening, ...requestChecks(guestApi, judge)];
  }

  get bootNonce(): Buffer {
    return this.#bootNonce;
  }

  async start(): Promise<void> {
    const queue = guestQueue(this.#options.instanceId);
    // Its queue is made for it: a guest's account may declare nothing.
    this.#subscription = await this.#options.bus.consume(
      queue,
      { prefetch: REQUESTS_AT_A_TIME, exclusive: true },
      (delivery) => this.#onDelivery(delivery, queue),
    );
  }

  readonly report: GuestServer['report'] = async (name, args) => {
    const { instanceId, account } = this.#options;
    const method: ConductorApi[typeof name] = conductorApi[name];
    const isHeartbeat = name === 'heartbeat';
    const lifeMs = isHeartbeat ? HEARTBEAT_LIFE_MS : EVENT_LIFE_MS;
    const messageId = randomBytes(16);
    const key = this.#keyring.reportKey();
    if (key === undefined)
      throw new TroveError('BUS_UNAVAILABLE', 'There is no key to report under yet.', { retryable: true });
    const { version } = method;
    const text = requestText({
      method: name,
      version,
      args,
      context: {},
      fence: null,
      idempotencyKey: null,
      replyQueue: null,
    });
    await this.#options.bus.publish({
      exchange: UP_EXCHANGE,
      routingKey: isHeartbeat ? heartbeatKey(instanceId) : eventKey(instanceId),
      body: this.#sealReport(key, messageId, lifeMs, text),
      contentType: SEALED_CONTENT_TYPE,
      messageId: messageId.toString('hex'),
      ...(account !== undefined && { userId: account }),
      expirationMs: lifeMs,
      persistent: !isHeartbeat,
      mandatory: true,
    });
  };

  async close(): Promise<void> {
    await this.#subscription?.cancel();
  }

  #sealReport(
    key: { readonly version: number; readonly rootKey: Buffer },
    messageId: Buffer,
    lifeMs: number,
    text: string,
  ): Buffer {
    const issued = this.#clock.now();
    this.#sequence += 1n;
    return this.#sealer.seal(
      key.rootKey,
      {
        kind: 'report',
        keyVersion: key.version,
        sender: this.#me,
        receiver: CONDUCTOR,
        messageId,
        requestId: ZERO_16,
        requestHash: ZERO_16,
        bootNonce: this.#bootNonce,
        sequence: this.#sequence,
        issued,
        expires: issued + lifeMs,
      },
      text,
    );
  }

  /** The handlers for a request under this version of the key. */
  #handlers(keyVersion: number): HandlerTable {
    return {
      ...this.#options.handlers,
      hello: async (args: ArgsOf<GuestApi['hello']>) => this.#hello(args, keyVersion),
      rotate_key: async (args: ArgsOf<GuestApi['rotate_key']>, { fence }) => {
        this.#options.passFence?.(fence);
        return this.#keyring.agree(args, keyVersion);
      },
    };
  }

  /** Who this guest is now. Behind what the catalog has of this very boot, it is a resumed snapshot and becomes someone new. */
  #hello(args: ArgsOf<GuestApi['hello']>, keyVersion: number): ResultOf<GuestApi['hello']> {
    this.#keyring.prove(keyVersion);
    const sameBoot = args.stored_boot_nonce === this.#bootNonce.toString('hex');
    if (sameBoot && args.stored_sequence !== null && this.#sequence < BigInt(args.stored_sequence)) {
      this.#bootNonce = randomBytes(16);
      this.#sequence = 0n;
    }
    const kcv = this.#keyring.checkValue(keyVersion);
    return { boot_nonce: this.#bootNonce.toString('hex'), sequence: this.#sequence.toString(), kcv };
  }

  async #onDelivery(delivery: Delivery, queue: string): Promise<void> {
    const { logger, onRefused } = this.#options;
    const message: SealedRequest = { delivery };
    if (!(await receive(this.#checks, message, { queue, logger, onRefused }))) return;
    // The taskmanager's journal is the durable copy: a lost call is asked again under the same idempotency key.
    delivery.ack();
    const header = headerOf(message);
    const request = present(message.request, 'content');
    if (request.replyQueue === null)
      throw new TroveError('INTERNAL', 'A call without a reply queue passed the checks.');
    const reply = { header, rootKey: present(message.rootKey, 'key_version'), replyQueue: request.replyQueue };
    if (message.stale === true) return await this.#refuseStale(reply, delivery, queue);
    if (request.method === 'hello') this.#freshness.greeted(header.issued);
    const caller = {
      role: 'taskmanager',
      messageId: header.messageId.toString('hex'),
      context: request.context,
      fence: request.fence,
      idempotencyKey: request.idempotencyKey,
      expiresMs: header.expires,
      legacy: false,
    } as const;
    const handlers = this.#handlers(header.keyVersion);
    const outcome = await dispatch(handlers, present(message.method, 'method'), request.args, caller, logger);
    await respond(this.#responder, reply, outcome);
    if (message.method === guestApi.hello) this.#options.onGreeted?.();
  }

  /** The caller sealed it before this boot: told so, it greets and seals anew. */
  async #refuseStale(reply: Parameters<typeof respond>[1], delivery: Delivery, queue: string): Promise<void> {
    const facts = { queue, bytes: delivery.body.length };
    this.#options.onRefused?.('boot_nonce', facts);
    this.#options.logger.info('request for an earlier boot refused', facts);
    const error = new TroveError('STALE_BOOT', 'The guest agent has started anew.', { retryable: true });
    // Its own clock may show anything before the first `hello`.
    const clock = { ...this.#clock, now: () => this.#freshness.now() ?? reply.header.issued };
    await respond({ ...this.#responder, clock }, reply, { error });
  }
}
