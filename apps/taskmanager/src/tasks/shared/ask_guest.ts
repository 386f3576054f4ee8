import { type DatabaseBigint, dbNow, type InstanceReportRow } from '@trove/catalog';
import { isTroveError } from '@trove/common';
import type { StepContext } from '@trove/tasks';
import { memberOf } from './outputs.ts';
import type { TaskTools } from './tools.ts';

/**
 * How long a guest has for its answer, at first; where all is slow it gets a share of the time since it was first asked. One
 * that works for longer is asked again when it is done.
 */
const HEARD_MS = 2000;
const UNHEARD_MS = 1000;
const PATIENCE = { share: 0.1, mostMs: 5000 };
/** Of this taskmanager's slots, so many at most ask where nobody may be. */
const UNHEARD_AT_ONCE = 2;
/** Between two questions into the dark: a share of the time since the first, within these. */
const AGAIN = { share: 0.5, leastUs: 500_000, mostUs: 15_000_000 };

/** So long after the last question nobody was there to ask: what was asked before does not count as silence. */
const BEGINS_ANEW_US = 120_000_000;

/** When a step's guest was asked without an answer, as it noted it. Epoch microseconds of the database. */
interface Asked {
  readonly first: number;
  readonly last: number;
}

/**
 * Asks a guest that was there and may be no more, where that is worth a slot: each time that something was heard of it since
 * it was last asked, and otherwise at growing intervals, for a report may be lost. `ask` resolves to undefined where the answer
 * is that it is not done yet. Undefined: that, or no answer in time, or not asked now; then wait `UNTIL_REPORTED`. A method
 * under one idempotency key goes on meanwhile, and is joined by the next question.
 */
export async function askGuest<T>(
  tools: TaskTools,
  context: StepContext,
  ask: (deadlineMs: number) => Promise<T | undefined>,
): Promise<T | undefined> {
  const asked = askedBefore(context);
  const { heard, now } = await heardOf(tools, context.task.instanceId, asked);
  if (!heard && !isTimeAgain(asked, now)) return undefined;
  const turn = heard ? undefined : tools.unheard.take();
  if (!heard && turn === undefined) return undefined;
  const first = asked !== undefined && now - asked.last <= BEGINS_ANEW_US ? asked.first : now;
  const answer = await ask(deadlineMs(tools, heard, now - first))
    .catch(unlessSilent)
    .finally(() => turn?.());
  if (answer === undefined) await context.note({ first_asked: first, last_asked: now });
  return answer;
}

function deadlineMs({ settings }: TaskTools, heard: boolean, sinceUs: number): number {
  const share = (sinceUs / 1000) * PATIENCE.share;
  const patienceMs = Math.max(heard ? HEARD_MS : UNHEARD_MS, Math.min(share, PATIENCE.mostMs));
  return Math.min(patienceMs, settings.lowMs);
}

function unlessSilent(error: unknown): undefined {
  if (!isTroveError(error, 'GUEST_TIMEOUT') && !isTroveError(error, 'RPC_TIMEOUT')) throw error;
}

/** How many ask into the dark at this moment. */
export class Unheard {
  #count = 0;

  /** Undefined where enough do; else call it at the end. */
  take(): (() => void) | undefined {
    if (this.#count >= UNHEARD_AT_ONCE) return undefined;
    this.#count += 1;
    return () => void (this.#count -= 1);
  }
}

/** Undefined where no earlier try has noted a question. */
export function askedBefore({ noted }: StepContext): Asked | undefined {
  const [first, last] = [memberOf(noted, 'first_asked'), memberOf(noted, 'last_asked')];
  return typeof first === 'number' && typeof last === 'number' ? { first, last } : undefined;
}

function isTimeAgain(asked: Asked | undefined, now: number): boolean {
  if (asked === undefined) return true;
  const share = (asked.last - asked.first) * AGAIN.share;
  return now - asked.last >= Math.min(Math.max(share, AGAIN.leastUs), AGAIN.mostUs);
}

/**
 * By what its reports and hellos have left in the catalog. Before the first question only what is of the present boot counts:
 * one that was greeted, or whose report wants a hello. Then anything that is newer than the last one.
 */
async function heardOf(
  { catalog: { knex } }: TaskTools,
  instanceId: string,
  asked: Asked | undefined,
): Promise<{ heard: boolean; now: number }> {
  const row: (Partial<InstanceReportRow> & { now: DatabaseBigint }) | undefined = await knex
    .select({ now: dbNow(knex) }, 'boot_nonce', 'hello_wanted', 'received_at')
    .from(knex.raw('(SELECT 1) AS one'))
    .leftJoin('instance_reports', (on) => void on.on('instance_reports.instance_id', knex.raw('?', [instanceId])))
    .first();
  const now = Number(row?.now);
  const wanted = Number(row?.hello_wanted ?? 0);
  if (asked === undefined) return { heard: (row?.boot_nonce ?? null) !== null || wanted > 0, now };
  return { heard: Math.max(Math.abs(wanted), Number(row?.received_at ?? 0)) > asked.last, now };
}
