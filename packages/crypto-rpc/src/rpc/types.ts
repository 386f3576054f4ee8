import type { Clock, Logger, Secret } from '@trove/common';
import type { ArgsOf, ConductorApi, GuestApi, Handlers, ResultOf, Role, TaskmanagerApi } from '@trove/contracts';
import type { Bus } from '../bus/bus.ts';
import type { HeldKeysFile } from '../keys/held_keys.ts';
import type { KeyStore, RpcPolicy } from '../keys/key_store.ts';
import type { OnRefused } from './refusal.ts';

/** The ring of `taskmanager_rpc_encr_key`: the first seals, all open; empty means that the control plane speaks in clear. */
export interface ControlKeys {
  readonly ring: readonly Secret[];
}

/** Who asked, passed along for the log. Never a token, never a service catalog. */
export interface CallContext {
  readonly request_id?: string;
  readonly project_id?: string;
  readonly user_id?: string;
}

export interface CallOptions {
  /** How long the answer is waited for, in milliseconds from now; the message expires with it. */
  readonly deadlineMs: number;
  readonly context?: CallContext;
  readonly fence?: bigint;
  /** 1 to 64 characters. */
  readonly idempotencyKey?: string;
  /** Aborting rejects the call with the signal's reason; what was sent stays sent. */
  readonly signal?: AbortSignal;
}

/** What a handler knows of who called it, all of it from what opened. */
export interface Caller {
  readonly role: Role;
  /** 32 hex digits; the same when the same bytes arrive twice. Legacy: the message's `_unique_id`. */
  readonly messageId: string;
  readonly context: CallContext;
  readonly fence: bigint | null;
  readonly idempotencyKey: string | null;
  /** When the caller stops waiting, in milliseconds since 1970; null where the wire does not say (legacy). */
  readonly expiresMs: number | null;
  /** True where it came in clear. */
  readonly legacy: boolean;
}

interface Common {
  readonly logger: Logger;
  /** Default: the system's clock. */
  readonly clock?: Clock;
  /** Told of each message that was refused; the caller counts by reason. */
  readonly onRefused?: OnRefused;
}

export interface TaskmanagerClientOptions extends Common {
  readonly bus: Bus;
  /** Where the control plane speaks in clear; default `bus`. */
  readonly legacyBus?: Bus;
  readonly controlKeys: ControlKeys;
  readonly controlExchange: string;
  /** The topic in clear; default `taskmanager`. */
  readonly taskmanagerQueue?: string;
}

/**
 * The api's side of the control plane. `call` rejects with the handler's own error, `RPC_TIMEOUT` (the outcome is unknown)
 * or `BUS_UNAVAILABLE` (retryable; nothing was asked).
 */
export interface TaskmanagerClient {
  call<M extends keyof TaskmanagerApi>(
    method: M,
    args: ArgsOf<TaskmanagerApi[M]>,
    options: CallOptions,
  ): Promise<ResultOf<TaskmanagerApi[M]>>;
  /** Resolves when the broker has taken it. */
  cast<M extends keyof TaskmanagerApi>(
    method: M,
    args: ArgsOf<TaskmanagerApi[M]>,
    options?: { readonly context?: CallContext },
  ): Promise<void>;
  close(): Promise<void>;
}

export interface TaskmanagerServerOptions extends Common {
  readonly bus: Bus;
  /** Where the control plane speaks in clear; default `bus`. */
  readonly legacyBus?: Bus;
  readonly controlKeys: ControlKeys;
  readonly controlExchange: string;
  /** The server's name in clear: `<topic>.<host>` is a queue of its own. */
  readonly host: string;
  readonly taskmanagerQueue?: string;
  readonly handlers: Handlers<TaskmanagerApi, Caller>;
  /**
   * Asked before a call that changes something is handled: true exactly once per message id, across all taskmanagers and
   * their restarts. Rejects where that cannot be known; the call then fails with its error.
   */
  readonly firstArrival?: (caller: Caller) => Promise<boolean>;
  /** Calls handled at a time, so that they never starve tasks; default 64. */
  readonly callSlots?: number;
}

export interface RpcServer {
  start(): Promise<void>;
  /** Takes no more, lets running handlers end. */
  close(): Promise<void>;
}

export interface GuestClientOptions extends Common {
  /** `sealed_transport_url`: v2 guests. */
  readonly sealedBus: Bus;
  /** `transport_url`: guests of policy 0 and 1. */
  readonly legacyBus: Bus;
  readonly keyStore: KeyStore;
  readonly controlExchange: string;
}

export interface GuestCallOptions extends CallOptions {
  /**
   * The version of the key to ask under, for steps that change it; default the active one. Without it whatever is asked of an
   * instance of which only pending keys are accepted, `hello` too, is `UNPROCESSABLE` ("is being upgraded").
   */
  readonly keyVersion?: number;
}

export interface HelloAnswer {
  readonly bootNonce: Buffer;
  readonly sequence: bigint;
  /** 12 hex digits. */
  readonly kcv: string;
  /** The version of the key that it answered under. */
  readonly keyVersion: number;
}

/**
 * The taskmanager's side towards guests. The codec follows the catalog's policy of the peer. A legacy cast resolves when the
 * broker has taken it, with null, or `{ accepted: true }` for a long method. Rejects with the guest's own error,
 * `GUEST_TIMEOUT`, `GUEST_ERROR`, `BUS_UNAVAILABLE` (of a guest of policy 0 or 1: nothing was asked), `NOT_FOUND` (no such
 * peer), or `STALE_BOOT` (retryable) where no `hello` has told the guest's boot nonce yet. A close ends its open calls with
 * `GUEST_TIMEOUT`.
 */
export interface GuestClient {
  call<M extends Exclude<keyof GuestApi, 'hello'>>(
    instanceId: string,
    method: M,
    args: ArgsOf<GuestApi[M]>,
    options: GuestCallOptions,
  ): Promise<ResultOf<GuestApi[M]>>;
  /** v2 guests only. What it returns is for the caller to store; the cached peer is forgotten. */
  hello(
    instanceId: string,
    options: { readonly keyVersion?: number; readonly deadlineMs: number },
  ): Promise<HelloAnswer>;
  /** Makes the guest's queue and binding, and the exchanges that it will write to. May be repeated. */
  declareGuest(instanceId: string, policy: RpcPolicy): Promise<void>;
  /** Removes the guest's queues of either kind. May be repeated. */
  deleteGuest(instanceId: string): Promise<void>;
  close(): Promise<void>;
}

/** What a guest offers; `hello` and `rotate_key` are answered by the server itself. */
export type GuestHandlers = Omit<Handlers<GuestApi, Caller>, 'hello' | 'rotate_key'>;

export interface GuestServerOptions extends Common {
  readonly bus: Bus;
  readonly instanceId: string;
  /** Where its key is kept. With it the guest speaks v2 and nothing else; without it plaintext and nothing else. */
  readonly keys?: HeldKeysFile;
  /** Throws `STALE_FENCE` where the fence is older than the highest that the guest has seen; default: takes any. */
  readonly passFence?: (fence: bigint | null) => void;
  /** The account of the connection, named on what a sealed guest publishes so that the broker vouches for it. */
  readonly account?: string;
  readonly controlExchange: string;
  /** The conductor's topic in clear; default `trove-conductor`. */
  readonly conductorQueue?: string;
  /** A `hello` was answered: a report sent soon after it counts, one sent before it did not. */
  readonly onGreeted?: () => void;
  readonly handlers: GuestHandlers;
}

export interface GuestServer extends RpcServer {
  /** Random at each start; a resumed snapshot takes a new one when `hello` shows that it is behind. */
  readonly bootNonce: Buffer;
  /** Resolves when the broker has taken it. In clear `sent` is added, and what Trove's guests do not report is left out. */
  report<M extends keyof ConductorApi>(method: M, args: ArgsOf<ConductorApi[M]>): Promise<void>;
}

/** A report whose sender was verified by its key (v2, v1), or that came in clear from an instance of policy 0. */
export type VerifiedReport = {
  [M in keyof ConductorApi]: {
    readonly instanceId: string;
    readonly method: M;
    /** Each instance id in it is `instanceId`. */
    readonly args: ArgsOf<ConductorApi[M]>;
    /** 32 hex digits; the same when the same bytes arrive twice. Legacy: the message's `_unique_id`. */
    readonly messageId: string;
    /** When it expires, in milliseconds since 1970; null for legacy. */
    readonly expiresMs: number | null;
    /** v2: who started, and the how-manieth of its messages. Null for legacy, where `args.sent` orders. */
    readonly bootNonce: Buffer | null;
    readonly sequence: bigint | null;
    /** v2: the version of the key that it opened under. Null for legacy. */
    readonly keyVersion: number | null;
    readonly legacy: boolean;
  };
}[keyof ConductorApi];

export type HeartbeatReport = Extract<VerifiedReport, { method: 'heartbeat' }>;
export type EventReport = Exclude<VerifiedReport, { method: 'heartbeat' }>;

export interface ConductorHandlers {
  /** At most 200 at a time, in the order of arrival, acknowledged when this resolves. A failure drops them: newer ones follow. */
  heartbeats(batch: readonly HeartbeatReport[]): Promise<void>;
  /**
   * A taskmanager has something to settle with this guest: an authentic report of the present boot has come too late, so the
   * guest's time is not the catalog's (it changes nothing); or one came under a key whose rotation has not ended.
   */
  helloWanted(instanceId: string): Promise<void>;
  /** Everything else, one by one. A failure sends it round again, up to the queue's delivery limit. */
  event(report: EventReport): Promise<void>;
}

export interface ConductorServerOptions extends Common {
  readonly sealedBus: Bus;
  readonly legacyBus: Bus;
  readonly keyStore: KeyStore;
  readonly controlExchange: string;
  readonly conductorQueue?: string;
  /** The server's name in clear; default `0.0.0.0`, as Trove's. */
  readonly host?: string;
  /** False refuses instances of policy 0. */
  readonly allowPlaintext: boolean;
  readonly handlers: ConductorHandlers;
}
