import { TroveError } from '@trove/common';
import type { GuestApi, ResultOf } from '@trove/contracts';
import type { StepContext, Wait } from '@trove/tasks';
import { atHand } from './at_hand.ts';
import type { Answer, OnceCall, TaskMethod } from './call_once.ts';
import { heardAfter, ON_ITS_WAY_MS } from './last_heard.ts';
import { notedQuestion, type Outcome, outcomeOf, type Question, withOutcome } from './question.ts';
import { serves } from './service_verdict.ts';
import type { TaskTools } from './tools.ts';
import { UNTIL_REPORTED } from './waits.ts';

/** Methods after which the guest's database serves, as its heartbeats then say. */
const SEEN_IN_HEARTBEATS: readonly TaskMethod[] = ['restart', 'post_upgrade'];

/**
 * Asks a guest that knows no idempotency key, and that it is being asked stands in the journal first. Where it does not answer
 * at once the task is put down, and what comes of the question is written into the journal when it comes, for whoever has the
 * task then. Where the process that asked dies, nobody will know it. Then the visible effect counts, in what the guest says
 * after it was asked; and where there is none, the guest is asked again when the first question must be over: a database that
 * is stopped is stopped, one that runs is started, as if for the first time. A guest that has let the whole time of a question
 * pass is not asked again: rejects with `GUEST_TIMEOUT`, for good, where it has no visible effect either.
 */
export async function sendOnce<M extends TaskMethod>(
  tools: TaskTools,
  context: StepContext,
  call: OnceCall<M>,
): Promise<Answer<M>> {
  const question = notedQuestion(context, call.method);
  if (question === undefined) return await send(tools, context, call);
  return await goOn(tools, context, call, question, question.outcome ?? 'lost');
}

async function send<M extends TaskMethod>(
  tools: TaskTools,
  context: StepContext,
  call: OnceCall<M>,
): Promise<Answer<M>> {
  const question: Question = { asked: call.method, at: tools.clock.now() };
  await context.note({ ...question });
  const asked = outcomeOf(tools, context.task.instanceId, call);
  const soon = await atHand(asked);
  if (soon !== undefined) return await goOn(tools, context, call, question, soon.value);
  void asked
    .then(async (outcome) => {
      const noted = withOutcome(question, outcome);
      if (noted !== undefined) await context.amend({ ...question }, noted);
    })
    .catch((error: unknown) => context.logger.info('what a guest has answered is not written down', { error }));
  return { wait: UNTIL_REPORTED };
}

async function goOn<M extends TaskMethod>(
  tools: TaskTools,
  context: StepContext,
  call: OnceCall<M>,
  question: Question,
  outcome: Outcome,
): Promise<Answer<M>> {
  if (outcome === 'silent' || outcome === 'lost')
    return (await lookFor(tools, context, question, outcome)) ?? (await send(tools, context, call));
  if ('answered' in outcome) return { answered: outcome.answered as ResultOf<GuestApi[M]> };
  // It has done nothing, or has ended and may be asked again.
  if (!outcome.sent || outcome.failed.retryable) await context.note(null);
  throw outcome.failed;
}

/** Undefined: it may be asked again. */
async function lookFor(
  tools: TaskTools,
  { task }: StepContext,
  { asked, at }: Question,
  outcome: 'silent' | 'lost',
): Promise<{ readonly answered: null } | { readonly wait: Wait } | undefined> {
  // A cast: there is no answer, and whoever comes next waits for its effect.
  if (asked === 'prepare') return { answered: null };
  const canBeSeen = SEEN_IN_HEARTBEATS.includes(asked);
  if (canBeSeen && serves(await heardAfter(tools, task.instanceId, at))) return { answered: null };
  const { highMs, reportIntervalMs } = tools.settings;
  const sinceMs = tools.clock.now() - at;
  if (outcome === 'lost') return sinceMs < highMs + reportIntervalMs ? { wait: UNTIL_REPORTED } : undefined;
  if (canBeSeen && sinceMs < highMs + reportIntervalMs + ON_ITS_WAY_MS) return { wait: UNTIL_REPORTED };
  throw new TroveError('GUEST_TIMEOUT', `The guest agent did not answer "${asked}"; its outcome is unknown.`);
}
