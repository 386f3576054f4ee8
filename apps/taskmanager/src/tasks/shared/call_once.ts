import { isTroveError } from '@trove/common';
import type { ArgsOf, GuestApi, ResultOf } from '@trove/contracts';
import type { StepContext, Wait } from '@trove/tasks';
import { askGuest } from './ask_guest.ts';
import { endRotation } from './end_rotation.ts';
import { sendOnce } from './send_once.ts';
import type { TaskTools } from './tools.ts';
import { SOON, UNTIL_REPORTED } from './waits.ts';

/** The guest's methods of a journalled task: each takes effect once for one idempotency key. */
export type TaskMethod = 'prepare' | 'restart' | 'pre_upgrade' | 'post_upgrade';

export type Answer<M extends TaskMethod> =
  | { readonly answered: ResultOf<GuestApi[M]> | null }
  | { readonly wait: Wait };

export interface OnceCall<M extends TaskMethod> {
  readonly method: M;
  readonly args: ArgsOf<GuestApi[M]>;
  /** The version of the key to ask under; default the active one. */
  readonly keyVersion?: number | undefined;
  /** False: the guest speaks Trove's own protocol and knows no idempotency key; see `sendOnce`. */
  readonly sealed: boolean;
  /** Default: the step's token. */
  readonly idempotencyKey?: string;
}

/**
 * Calls a method that must not take effect twice. A sealed guest is asked in short slices under one idempotency key, so that
 * no worker is held for long; a guest that has restarted is greeted first. `answered: null` where it had been done before, or
 * where only its effect was seen.
 */
export async function callOnce<M extends TaskMethod>(
  tools: TaskTools,
  context: StepContext,
  call: OnceCall<M>,
): Promise<Answer<M>> {
  return call.sealed ? await askSealed(tools, context, call) : await sendOnce(tools, context, call);
}

async function askSealed<M extends TaskMethod>(
  tools: TaskTools,
  context: StepContext,
  call: OnceCall<M>,
): Promise<Answer<M>> {
  const { instanceId, fence } = context.task;
  const version = call.keyVersion === undefined ? {} : { keyVersion: call.keyVersion };
  const answer = await askGuest<Answer<M>>(tools, context, async (deadlineMs) => {
    if (call.keyVersion === undefined) await endRotation(tools, context, deadlineMs);
    try {
      const answered = await tools.guests.call(instanceId, call.method, call.args, {
        deadlineMs: Math.min(deadlineMs, tools.settings.highMs),
        fence,
        idempotencyKey: call.idempotencyKey ?? context.token,
        signal: context.signal,
        ...version,
      });
      return { answered };
    } catch (error) {
      if (isTroveError(error, 'ALREADY_DONE')) return { answered: null };
      if (!isTroveError(error, 'STALE_BOOT')) throw error;
      // One that does not answer this either is silent.
      await tools.hello.greet(instanceId, { ...version, deadlineMs });
      return { wait: SOON };
    }
  });
  return answer ?? { wait: context.noted === undefined ? SOON : UNTIL_REPORTED };
}
