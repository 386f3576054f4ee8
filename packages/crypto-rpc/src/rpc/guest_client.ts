import { isTroveError, systemClock, TroveError } from '@trove/common';
import { type GuestApi, guestApi, type ResultOf, type RpcMethod } from '@trove/contracts';
import { ZERO_16 } from '../codecs/v2/header.ts';
import { guestParty, TASKMANAGER } from '../codecs/v2/party.ts';
import type { GuestPeer } from '../keys/key_store.ts';
import { LegacyCaller } from './legacy_caller.ts';
import { askLegacyGuest } from './legacy_guest.ts';
import { commandKey, DownlinkKeys, findKey } from './peer_keys.ts';
import { type Limits, SealedCaller, type SealedPeer } from './sealed_caller.ts';
import {
  DOWN_EXCHANGE,
  guestQueue,
  guestTopology,
  legacyGuestTopic,
  legacyTopology,
  SEALED_TOPOLOGY,
} from './topology.ts';
import type { GuestCallOptions, GuestClient, GuestClientOptions, HelloAnswer } from './types.ts';
import { fits } from './validation.ts';

/** The taskmanager's side towards guests of every policy. */
export function createGuestClient(options: GuestClientOptions): GuestClient {
  return new TaskmanagersGuestClient(options);
}

class TaskmanagersGuestClient implements GuestClient {
  readonly #options: GuestClientOptions;
  readonly #sealed: SealedCaller;
  readonly #legacy: LegacyCaller;
  readonly #downlink = new DownlinkKeys();

  constructor(options: GuestClientOptions) {
    const { logger, onRefused, clock = systemClock } = options;
    this.#options = options;
    this.#sealed = new SealedCaller({
      bus: options.sealedBus,
      me: TASKMANAGER,
      answeredBy: '*',
      answeredByRole: 'guest',
      logger,
      clock,
      onRefused,
    });
    this.#legacy = new LegacyCaller({
      bus: options.legacyBus,
      controlExchange: options.controlExchange,
      logger,
      onRefused,
    });
  }

  readonly call: GuestClient['call'] = async (instanceId, name, args, options) => {
    const method: RpcMethod = guestApi[name];
    const peer = await this.#peerWithKey(instanceId, options.keyVersion);
    const { keyVersion } = options;
    const result =
      keyVersion !== undefined || peer.policy === 2
        ? await this.#askSealed(peer, method, args, options)
        : await askLegacyGuest(this.#legacy, peer, method, { ...args }, options.context ?? {}, limitsOf(options));
    if (!fits(method.result, result))
      throw new TroveError('GUEST_ERROR', 'The guest agent answered something unexpected.');
    return result as ResultOf<GuestApi[typeof name]>;
  };

  async hello(
    instanceId: string,
    options: { readonly keyVersion?: number; readonly deadlineMs: number },
  ): Promise<HelloAnswer> {
    const peer = await this.#peerWithKey(instanceId, options.keyVersion);
    const sealedPeer = this.#sealedPeer(peer, guestApi.hello, options.keyVersion, ZERO_16);
    const args = {
      stored_boot_nonce: peer.bootNonce?.toString('hex') ?? null,
      stored_sequence: peer.sequence?.toString() ?? null,
    };
    const answer = await this.#ask(sealedPeer, guestApi.hello, args, options);
    if (!isHelloResult(answer)) throw new TroveError('GUEST_ERROR', 'The guest agent answered something unexpected.');
    this.#options.keyStore.forget(instanceId);
    return {
      bootNonce: Buffer.from(answer.boot_nonce, 'hex'),
      sequence: BigInt(answer.sequence),
      kcv: answer.kcv,
      keyVersion: sealedPeer.keyVersion,
    };
  }

  readonly declareGuest: GuestClient['declareGuest'] = async (instanceId, policy) => {
    if (policy === 2) {
      await this.#options.sealedBus.declare(SEALED_TOPOLOGY);
      await this.#options.sealedBus.declare(guestTopology(instanceId), { once: true });
      return;
    }
    const topology = legacyTopology(this.#options.controlExchange, legacyGuestTopic(instanceId), instanceId);
    await this.#options.legacyBus.declare(topology, { once: true });
  };

  async deleteGuest(instanceId: string): Promise<void> {
    const topic = legacyGuestTopic(instanceId);
    await this.#options.sealedBus.deleteQueue(guestQueue(instanceId));
    await this.#options.legacyBus.deleteQueue(topic);
    await this.#options.legacyBus.deleteQueue(`${topic}.${instanceId}`);
  }

  async close(): Promise<void> {
    await Promise.all([this.#sealed.close(), this.#legacy.close()]);
  }

  async #askSealed(peer: GuestPeer, method: RpcMethod, args: unknown, options: GuestCallOptions): Promise<unknown> {
    const { keyVersion } = options;
    try {
      const sealedPeer = this.#sealedPeer(peer, method, keyVersion, await this.#bootNonce(peer));
      return await this.#ask(sealedPeer, method, args, options);
    } catch (error) {
      if (!isTroveError(error, 'STALE_BOOT')) throw error;
      // The guest has started anew since the catalog was read. Sealed anew once, under what the catalog says now.
      const fresh = await this.#freshPeer(peer.instanceId);
      const sealedPeer = this.#sealedPeer(fresh, method, keyVersion, await this.#bootNonce(fresh));
      return await this.#ask(sealedPeer, method, args, options);
    }
  }

  #ask(peer: SealedPeer, method: RpcMethod, args: unknown, options: GuestCallOptions): Promise<unknown> {
    const body = {
      method: method.name,
      version: method.version,
      args,
      context: options.context ?? {},
      fence: options.fence ?? null,
      idempotencyKey: options.idempotencyKey ?? null,
    };
    return this.#sealed.call(peer, body, { ...limitsOf(options), repeatable: true });
  }

  /** The guest's boot nonce as the catalog has it; read anew where a cached answer had none. */
  async #bootNonce(peer: GuestPeer): Promise<Buffer> {
    const nonce = peer.bootNonce ?? (await this.#freshPeer(peer.instanceId)).bootNonce;
    if (nonce === null)
      throw new TroveError('STALE_BOOT', 'The guest agent has not been heard of yet.', { retryable: true });
    return nonce;
  }

  #sealedPeer(peer: GuestPeer, method: RpcMethod, keyVersion: number | undefined, bootNonce: Buffer): SealedPeer {
    const { version, instanceKey } = commandKey(peer, method.name, keyVersion);
    const { instanceId } = peer;
    return {
      party: guestParty(instanceId),
      account: peer.account,
      rootKey: this.#downlink.get(instanceId, instanceKey),
      keyVersion: version,
      bootNonce,
      exchange: DOWN_EXCHANGE,
      routingKey: guestQueue(instanceId),
    };
  }

  /**
   * Read anew where what is cached does not have the version that is asked for, or has the active one's time over. Rejects
   * where that is so: what is sealed under it is for a server that has been stopped.
   */
  async #peerWithKey(instanceId: string, keyVersion: number | undefined): Promise<GuestPeer> {
    const isReachable = (peer: GuestPeer): boolean =>
      keyVersion === undefined ? !peer.pendingOnly : findKey(peer, keyVersion) !== undefined;
    const cached = await this.#peer(instanceId);
    const peer = isReachable(cached) ? cached : await this.#freshPeer(instanceId);
    if (peer.pendingOnly && keyVersion === undefined)
      throw new TroveError('UNPROCESSABLE', `Instance ${instanceId} is being upgraded.`, { retryable: true });
    return peer;
  }

  #freshPeer(instanceId: string): Promise<GuestPeer> {
    this.#options.keyStore.forget(instanceId);
    return this.#peer(instanceId);
  }

  async #peer(instanceId: string): Promise<GuestPeer> {
    const peer = await this.#options.keyStore.guestPeer(instanceId);
    if (peer === undefined) throw new TroveError('NOT_FOUND', `Instance ${instanceId} cannot be found.`);
    if (peer.quarantined === true)
      throw new TroveError('UNPROCESSABLE', `Instance ${instanceId} is in quarantine: two guests answer for it.`);
    return peer;
  }
}

function isHelloResult(value: unknown): value is ResultOf<GuestApi['hello']> {
  return fits(guestApi.hello.result, value);
}

function limitsOf(options: GuestCallOptions): Limits {
  const timeout = (cause?: unknown): TroveError =>
    new TroveError('GUEST_TIMEOUT', 'Timeout trying to connect to the Guest Agent.', { retryable: true, cause });
  return { deadlineMs: options.deadlineMs, signal: options.signal, timeout: () => timeout(), unreachable: timeout };
}
