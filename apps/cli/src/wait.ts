import { setTimeout as delay } from 'node:timers/promises';
import type { CliIo } from './cli.ts';
import { CliError, EXIT } from './exit.ts';
import { progressLine } from './progress_line.ts';
import { asArray, asObject, asText, type JsonObject, type TroveClient } from './trove_client.ts';
import { stepCount } from './views.ts';

export interface WaitOptions {
  readonly wait?: boolean;
  readonly timeout: number;
}

/** Work that a request has started. */
export interface Work {
  /** The instance as the user calls it. */
  readonly name: string;
  readonly instanceId: string;
  readonly taskId: string | undefined;
}

const POLL_MS = 500;
const DEFAULT_TIMEOUT_S = 600;

export const WAIT_FLAG = ['--wait', 'wait until it is done'] as const;
/** Read before anything is asked of the server: what was filed would go on. */
export const TIMEOUT_FLAG = [
  '--timeout <seconds>',
  'give up waiting after this long',
  seconds,
  DEFAULT_TIMEOUT_S,
] as const;

/**
 * Follows the task until it is done, with a line per change. Failed, cancelled or not ended within the time-out is exit code
 * 5, Ctrl-C 130; the work itself goes on in both cases. A server that is away for a while is waited for.
 */
export async function waitForTask(io: CliIo, client: TroveClient, work: Work, options: WaitOptions): Promise<void> {
  if (work.taskId === undefined) throw new CliError(EXIT.waitFailed, 'The server does not say which task to wait for.');
  const limitMs = options.timeout * 1000;
  const started = performance.now();
  const line = progressLine(io.stderr);
  const interrupt = new AbortController();
  const stopListening = io.onInterrupt?.(() => interrupt.abort());
  try {
    for (;;) {
      const task = await look(client, work);
      const elapsedMs = performance.now() - started;
      line.show(`${work.name}: ${task === undefined ? 'the server does not answer' : describe(task)}`, elapsedMs);
      if (task !== undefined && hasEnded(task)) return;
      if (elapsedMs > limitMs) throw goesOn(work, EXIT.waitFailed, `Not done after ${options.timeout} s.`);
      await delay(POLL_MS, undefined, { signal: interrupt.signal }).catch(() => undefined);
      if (interrupt.signal.aborted) throw goesOn(work, EXIT.interrupted, 'Not waiting any more.');
    }
  } finally {
    line.end();
    stopListening?.();
  }
}

/** Undefined while the server cannot be asked. */
async function look(client: TroveClient, { instanceId, taskId }: Work): Promise<JsonObject | undefined> {
  try {
    return asObject((await client.get(`/instances/${instanceId}/tasks/${taskId ?? ''}`)).task);
  } catch (error) {
    if (error instanceof CliError && (error.exitCode === EXIT.unreachable || error.againAfterMs !== undefined))
      return undefined;
    throw error;
  }
}

/** True for done; throws for another end. */
function hasEnded(task: JsonObject): boolean {
  const kind = asText(task.kind);
  if (task.state === 'cancelled') throw new CliError(EXIT.waitFailed, `${kind} was cancelled.`);
  if (task.state !== 'failed') return task.state === 'done';
  const step = asArray(task.steps)
    .map(asObject)
    .find(({ state }) => state === 'failed');
  const where = step === undefined ? '' : ` at step ${asText(step.name)}`;
  const reason = asText(asObject(task.error).message ?? 'no reason given');
  throw new CliError(EXIT.waitFailed, `${kind} failed${where}: ${reason}`);
}

function describe(task: JsonObject): string {
  const { kind, state, step, unattended_since: unattended } = task;
  const present = asArray(task.steps)
    .map(asObject)
    .find(({ name }) => name === step);
  const progress = present?.progress ?? null;
  const count = stepCount(task);
  const words = [asText(kind), count === '-' ? '' : count].filter((word) => word !== '').join(' ');
  if (typeof unattended === 'string')
    return `${words}, nobody has worked on it since ${unattended} UTC: ${whyUnattended(task)}`;
  if (state !== 'running' && state !== 'waiting') return `${words}, ${asText(state)}`;
  return `${words}, ${asText(step)}${progress === null ? '' : `: ${asText(progress)}`}`;
}

/** A task that is parked says why. */
function whyUnattended({ error }: JsonObject): string {
  return error === undefined ? 'is a taskmanager running?' : asText(asObject(error).message);
}

function goesOn({ name, instanceId, taskId }: Work, exitCode: 5 | 130, reason: string): CliError {
  const command = `trove task-show ${instanceId} ${taskId ?? ''}`;
  return new CliError(exitCode, `${reason} The work on ${name} goes on; \`${command}\` shows it.`);
}

function seconds(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new CliError(EXIT.usage, `--timeout takes a number of seconds, not '${text}'.`);
}
