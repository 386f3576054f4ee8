import type { ArgsOf, GuestApi, ResultOf, RpcMethod } from '@trove/contracts';
import type { Caller } from '@trove/crypto-rpc';
import type { GuestContext } from '../guest_context.ts';

type Name = keyof GuestApi;

/** A method that changes nothing, or whose repetition does no harm. */
export type PlainMethod<N extends Name> = (
  context: GuestContext,
  args: ArgsOf<GuestApi[N]>,
) => Promise<ResultOf<GuestApi[N]>>;

/** A method that must not take effect twice. */
export interface OnceMethod<N extends Name> {
  /** `note` writes down, before a change, what `recover` needs to see whether it happened. */
  run(context: GuestContext, args: ArgsOf<GuestApi[N]>, note: (text: string) => void): Promise<ResultOf<GuestApi[N]>>;
  /** A crash interrupted `run`: looks what of the effect is there and does the rest. */
  recover(context: GuestContext, args: ArgsOf<GuestApi[N]>, note: string | undefined): Promise<ResultOf<GuestApi[N]>>;
}

export type Handler<N extends Name> = (args: ArgsOf<GuestApi[N]>, caller: Caller) => Promise<ResultOf<GuestApi[N]>>;

export function plain<N extends Name>(context: GuestContext, method: PlainMethod<N>): Handler<N> {
  return (args) => method(context, args);
}

/**
 * Fence, then once per idempotency key, then one change at a time. A sealed request without a key of its own is once by its
 * message id; a legacy caller has neither fence nor key. Of a result with a secret nothing is kept.
 */
export function once<N extends Name>(
  context: GuestContext,
  contract: GuestApi[N] & RpcMethod,
  method: OnceMethod<N>,
): Handler<N> {
  return async (args, caller) => {
    if (contract.fenced) context.fence.pass(caller.fence);
    const run = (note: (text: string) => void): Promise<ResultOf<GuestApi[N]>> =>
      context.exclusively(() => method.run(context, args, note));
    const key = caller.idempotencyKey ?? (caller.legacy ? null : caller.messageId);
    if (key === null) return run(() => undefined);
    return context.journal.once(key, contract.name, {
      keepsResult: !contract.secretResult,
      run,
      recover: (note) => context.exclusively(() => method.recover(context, args, note)),
    });
  };
}

/** As `once`, but answers at once; the outcome is asked for by `get_outcome`, and seen in the reports. */
export function long(
  context: GuestContext,
  contract: GuestApi['prepare'],
  method: OnceMethod<'prepare'>,
): Handler<'prepare'> {
  const perform = once<'prepare'>(context, contract, method);
  return async (args, caller) => {
    if (contract.fenced) context.fence.pass(caller.fence);
    context.inBackground(perform(args, caller));
    return { accepted: true };
  };
}
