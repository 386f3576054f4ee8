import { TroveError } from '@trove/common';
import type { StepContext } from '@trove/tasks';
import { questionOf } from '../shared/await_agent.ts';
import { reportsComeIn } from '../shared/last_heard.ts';
import { memberOf } from '../shared/outputs.ts';
import type { TaskTools } from '../shared/tools.ts';
import { prepareArgs } from './prepare.ts';

/** A guest that begins to prepare says BUILDING at once: so many intervals of reports, and this share of a call's patience, are long. */
const REPORTS_STILL_NEW = 3;
const SHARE_STILL_NEW = 1 / 3;
const MOST_TIMES = 3;

/** Times in milliseconds of the catalog's time. */
interface Noted {
  /** When the guest was asked to prepare last, or the first time that nothing had come of it. */
  readonly since: number;
  readonly times: number;
  /** When it has answered something that it was asked after that. */
  readonly lives?: number;
}

/**
 * For a guest in clear that has said nothing since it was asked to prepare. That is a cast, whose loss nobody notices: its
 * sender may have died before it went out, or the agent just after it came in. What is in a guest's queue is taken in order, so
 * one that answers a ping has nothing left to take; where it is new long after that all the same, and reports do come in, it
 * has not begun, and there is nothing yet that a second request could destroy. Rejects with `GUEST_TIMEOUT`, for good, where
 * the third is lost too. A guest that answers nothing, or of which nobody would hear, is waited for.
 */
export async function seeToItsBeginning(tools: TaskTools, context: StepContext): Promise<void> {
  const { clock, settings, knocks, guests } = tools;
  const now = clock.now();
  const noted = notedBefore(context) ?? { since: now, times: 1 };
  if (context.noted === undefined) await context.note({ ...noted });
  if (noted.lives === undefined) {
    if (now - noted.since < settings.reportIntervalMs) return;
    const id = `${context.token} ${noted.since}`;
    if ((await knocks.knock(id, questionOf(tools, context, 'clear'))) === undefined) return;
    return await context.note({ ...noted, lives: clock.now() });
  }
  const longMs = Math.max(REPORTS_STILL_NEW * settings.reportIntervalMs, settings.highMs * SHARE_STILL_NEW);
  if (now - noted.lives < longMs || !(await reportsComeIn(tools, noted.lives))) return;
  if (noted.times >= MOST_TIMES)
    throw new TroveError('GUEST_TIMEOUT', 'The guest agent lives and does not begin to make its database.');
  await context.note({ since: now, times: noted.times + 1 });
  context.logger.warn('a guest has not begun to make its database and is asked again', { times: noted.times + 1 });
  await guests.call(context.task.instanceId, 'prepare', prepareArgs(tools, context), {
    deadlineMs: settings.lowMs,
    signal: context.signal,
  });
}

function notedBefore({ noted }: StepContext): Noted | undefined {
  const [since, times, lives] = [memberOf(noted, 'since'), memberOf(noted, 'times'), memberOf(noted, 'lives')];
  if (typeof since !== 'number' || typeof times !== 'number') return undefined;
  return typeof lives === 'number' ? { since, times, lives } : { since, times };
}
