import { setTimeout as delay } from 'node:timers/promises';
import type { CliIo } from './cli.ts';
import { CliError, EXIT } from './exit.ts';
import { asObject, asText, type JsonObject, type TroveClient } from './trove_client.ts';

export interface WaitOptions {
  readonly wait?: boolean;
  /** Seconds, as typed. */
  readonly timeout?: string;
}

const POLL_MS = 500;
const DEFAULT_TIMEOUT_S = '600';

export const WAIT_FLAG = ['--wait', 'wait until it is done'] as const;
export const TIMEOUT_FLAG = ['--timeout <seconds>', 'give up waiting after this long', DEFAULT_TIMEOUT_S] as const;

/** Waits until the instance is ACTIVE and its database healthy. A fault, or the time-out, is exit code 5. */
export async function waitUntilReady(
  io: CliIo,
  client: TroveClient,
  id: string,
  options: WaitOptions,
): Promise<JsonObject> {
  const last = await poll(io, client, id, options, (instance) => isReady(instance) || instance.status === 'ERROR');
  const instance = last ?? {};
  if (instance.status !== 'ERROR' && last !== undefined) return instance;
  const fault = asObject(instance.fault).message;
  throw new CliError(
    EXIT.waitFailed,
    last === undefined ? 'The instance is gone.' : `The instance is in ERROR: ${asText(fault ?? 'no fault given')}`,
  );
}

/** Waits until the instance is no longer found. */
export async function waitUntilGone(io: CliIo, client: TroveClient, id: string, options: WaitOptions): Promise<void> {
  await poll(io, client, id, options, (instance) => instance.status === 'ERROR');
}

function isReady(instance: JsonObject): boolean {
  return instance.status === 'ACTIVE' && (instance.operating_status ?? 'HEALTHY') === 'HEALTHY';
}

async function poll(
  io: CliIo,
  client: TroveClient,
  id: string,
  options: WaitOptions,
  isEnd: (instance: JsonObject) => boolean,
): Promise<JsonObject | undefined> {
  const started = performance.now();
  const limitMs = seconds(options.timeout ?? DEFAULT_TIMEOUT_S) * 1000;
  const progress = progressLine(io);
  try {
    for (;;) {
      const answer = await client.find(`/instances/${id}`);
      if (answer === undefined) return undefined;
      const instance = asObject(answer.instance);
      const elapsedMs = performance.now() - started;
      progress.show(instance, elapsedMs);
      if (isEnd(instance)) return instance;
      if (elapsedMs > limitMs)
        throw new CliError(
          EXIT.waitFailed,
          `Still ${asText(instance.status)} after ${options.timeout ?? DEFAULT_TIMEOUT_S} s.`,
        );
      await delay(POLL_MS);
    }
  } finally {
    progress.end();
  }
}

function seconds(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new CliError(EXIT.usage, `--timeout takes a number of seconds, not '${text}'.`);
}

/** On a terminal one line that is written over; elsewhere a line per change, on standard error. */
function progressLine(io: CliIo): { show(instance: JsonObject, elapsedMs: number): void; end(): void } {
  let shown = '';
  return {
    show(instance, elapsedMs) {
      const state = [asText(instance.status), asText(instance.operating_status)]
        .filter((word) => word !== '')
        .join(', ');
      const line = `${asText(instance.name)}: ${state}`;
      if (io.stderr.isTTY === true) io.stderr.write(`\r\u001b[K${line} (${(elapsedMs / 1000).toFixed(0)} s)`);
      else if (line !== shown) io.stderr.write(`${line}\n`);
      shown = line;
    },
    end() {
      if (io.stderr.isTTY === true && shown !== '') io.stderr.write('\n');
    },
  };
}
