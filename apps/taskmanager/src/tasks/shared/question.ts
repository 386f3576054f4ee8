import { ERROR_CODES, isTroveError, TroveError } from '@trove/common';
import type { Json, JsonObject, StepContext } from '@trove/tasks';
import type { OnceCall, TaskMethod } from './call_once.ts';
import { memberOf, textMember } from './outputs.ts';
import type { TaskTools } from './tools.ts';

/** So much early a timer may be. */
const EARLY_MS = 100;

/** What a guest in clear is asked, as it is noted before it goes out. */
export interface Question {
  readonly asked: TaskMethod;
  /** Milliseconds of the catalog's time. */
  readonly at: number;
}

/**
 * What came of it. `sent: false`: nothing was asked. `silent`: all of its time has passed without an answer. `lost`: it was
 * not waited for so long, and nobody will know.
 */
export type Outcome =
  | { readonly answered: Json }
  | { readonly failed: TroveError; readonly sent: boolean }
  | 'silent'
  | 'lost';

/** Asks, beyond the step, and waits for the answer as long as Trove does. Rejects only with what is no `TroveError`. */
export async function outcomeOf<M extends TaskMethod>(
  { guests, settings, clock }: Pick<TaskTools, 'guests' | 'settings' | 'clock'>,
  instanceId: string,
  { method, args }: Pick<OnceCall<M>, 'method' | 'args'>,
): Promise<Outcome> {
  const begun = clock.monotonic();
  try {
    return { answered: (await guests.call(instanceId, method, args, { deadlineMs: settings.highMs })) as Json };
  } catch (error) {
    if (!isTroveError(error)) throw error;
    if (isUnsent(error)) return { failed: error, sent: false };
    if (!isTroveError(error, 'GUEST_TIMEOUT')) return { failed: error, sent: true };
    return clock.monotonic() - begun < settings.highMs - EARLY_MS ? 'lost' : 'silent';
  }
}

/**
 * It was never written to the broker, or no queue took it, or the catalog did not say how the guest is spoken to. What may
 * have arrived is a `GUEST_TIMEOUT` without a cause.
 */
function isUnsent(error: TroveError): boolean {
  if (error.code === 'BUS_UNAVAILABLE' || error.code === 'CATALOG_UNAVAILABLE') return true;
  return error.code === 'GUEST_TIMEOUT' && isTroveError(error.cause, 'RPC_REFUSED');
}

/** The question with its outcome, as it is noted; undefined where there is nothing to note. */
export function withOutcome(question: Question, outcome: Outcome): JsonObject | undefined {
  if (outcome === 'lost') return undefined;
  if (outcome === 'silent') return { ...question, silent: true };
  if ('answered' in outcome) return { ...question, answered: outcome.answered };
  const { code, message, retryable } = outcome.failed;
  return { ...question, failed: { code, message, retryable, sent: outcome.sent } };
}

/** What earlier tries have noted of this method; undefined where it was not asked. `outcome` is undefined while it is open. */
export function notedQuestion(
  { noted }: StepContext,
  method: TaskMethod,
): (Question & { readonly outcome: Outcome | undefined }) | undefined {
  const at = memberOf(noted, 'asked') === method ? memberOf(noted, 'at') : undefined;
  return typeof at === 'number' ? { asked: method, at, outcome: notedOutcome(noted) } : undefined;
}

function notedOutcome(noted: Json | undefined): Outcome | undefined {
  const [answered, failed] = [memberOf(noted, 'answered'), memberOf(noted, 'failed')];
  if (answered !== undefined) return { answered };
  if (failed === undefined) return memberOf(noted, 'silent') === true ? 'silent' : undefined;
  const code = ERROR_CODES.find((known) => known === memberOf(failed, 'code')) ?? 'GUEST_ERROR';
  const retryable = memberOf(failed, 'retryable') === true;
  return {
    failed: new TroveError(code, textMember(failed, 'message'), { retryable }),
    sent: memberOf(failed, 'sent') === true,
  };
}
