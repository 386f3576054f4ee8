import { TroveError } from '@trove/common';
import type { StepContext } from '@trove/tasks';
import { atHand } from './at_hand.ts';
import { heardAfter } from './last_heard.ts';
import { type Outcome, outcomeOf, type Question } from './question.ts';
import { serves } from './service_verdict.ts';
import type { TaskTools } from './tools.ts';

/** What nobody fetches is forgotten: another taskmanager has the task. */
const KEPT_MS = 60_000;

interface Restart extends Question {
  readonly outcome: Promise<Outcome>;
}

/**
 * Restarts of guests in clear that this process has asked for in undos, where nothing can be noted: none is awaited in a slot,
 * and one is asked for at a time. A taskmanager that takes such a task over asks again, which restarts the database once more.
 */
export class Restarts {
  readonly #open = new Map<string, Restart>();

  /** Resolves when the guest has said that its database serves; rejects with a retryable `GUEST_TIMEOUT` while it has not. */
  async restart(
    tools: Pick<TaskTools, 'catalog' | 'guests' | 'settings' | 'clock'>,
    { task, token }: Pick<StepContext, 'task' | 'token'>,
  ): Promise<void> {
    const restart = this.#open.get(token) ?? this.#ask(tools, task.instanceId, token);
    const outcome = (await atHand(restart.outcome))?.value;
    if (outcome !== undefined) this.#forget(token, restart);
    if (typeof outcome === 'object' && 'failed' in outcome) throw outcome.failed;
    if (typeof outcome === 'object') return;
    if (serves(await heardAfter(tools, task.instanceId, restart.at))) return this.#forget(token, restart);
    throw new TroveError('GUEST_TIMEOUT', 'The old server does not serve yet.', { retryable: true });
  }

  #ask(tools: Pick<TaskTools, 'guests' | 'settings' | 'clock'>, instanceId: string, token: string): Restart {
    const call = { method: 'restart', args: {} } as const;
    const outcome = outcomeOf(tools, instanceId, call);
    const restart: Restart = { asked: 'restart', at: tools.clock.now(), outcome };
    this.#open.set(token, restart);
    const over = (): void => void setTimeout(() => this.#forget(token, restart), KEPT_MS).unref();
    outcome.then(over, over);
    return restart;
  }

  #forget(token: string, restart: Restart): void {
    if (this.#open.get(token) === restart) this.#open.delete(token);
  }
}
