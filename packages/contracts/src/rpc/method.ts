import type { Static, TSchema } from 'typebox';

/** Who may speak: the role byte of an envelope's party. */
export type Role = 'api' | 'taskmanager' | 'conductor' | 'guest';

/** Which of Trove's two limits a call waits for: `agent_call_low_timeout` (15 s) or `agent_call_high_timeout` (180 s). */
export type Patience = 'low' | 'high';

/**
 * One RPC method as data: both sides import it, so that a wrong argument is a compile error at the caller
 * and a refused message at the receiver.
 */
export interface RpcMethod<A extends TSchema = TSchema, R extends TSchema = TSchema> {
  /** Trove's name; also the name of the file in contracts, in the handlers and in their tests. */
  readonly name: string;
  /** The version of the API that brought it, as in Trove (`1.0` unless it came later). */
  readonly version: string;
  /** How it goes over the wire to a peer that speaks `plaintext` or `v1`. A v2 guest gets no casts. */
  readonly legacyKind: 'call' | 'cast';
  readonly patience: Patience;
  /**
   * True where a second arrival must not take effect twice: the guest writes the idempotency key down before it starts.
   */
  readonly once: boolean;
  /** True for a method of a journalled task: the guest refuses a fence older than the highest it has seen. */
  readonly fenced: boolean;
  /** True where a v2 guest answers `{accepted: true}` at once and the outcome is asked for by `get_outcome`. */
  readonly long: boolean;
  /** True where the result holds a secret: the guest does not keep it, and answers a repetition `ALREADY_DONE`. */
  readonly secretResult: boolean;
  readonly args: A;
  readonly result: R;
}

export type ArgsOf<M extends RpcMethod> = Static<M['args']>;
export type ResultOf<M extends RpcMethod> = Static<M['result']>;

type MethodOptions<A extends TSchema, R extends TSchema> = Pick<RpcMethod<A, R>, 'name' | 'args' | 'result'> &
  Partial<Omit<RpcMethod<A, R>, 'name' | 'args' | 'result'>>;

/** Defaults: version 1.0, a call, low patience, neither once, fenced nor long, no secret in the result. */
export function defineMethod<A extends TSchema, R extends TSchema>(options: MethodOptions<A, R>): RpcMethod<A, R> {
  return {
    version: '1.0',
    legacyKind: 'call',
    patience: 'low',
    once: false,
    fenced: false,
    long: false,
    secretResult: false,
    ...options,
  };
}

/** A set of methods by name: what one role offers to another. */
export type RpcApi = Readonly<Record<string, RpcMethod>>;

/** One handler per method; `C` is what the server knows of the caller. */
export type Handlers<Api extends RpcApi, C> = {
  readonly [K in keyof Api]: (args: ArgsOf<Api[K]>, caller: C) => Promise<ResultOf<Api[K]>>;
};
