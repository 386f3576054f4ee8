import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { HostAccount } from './host_account.ts';

export interface ServerProcessOptions {
  command: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  account: HostAccount;
  /** Gets standard output and error. */
  logFile: string;
}

export interface ServerProcess {
  /** False once the server has gone, by itself or stopped. */
  running(): boolean;
  /** To the server and all that it has started. */
  signal(signal: NodeJS.Signals): void;
  /** Resolves when it has gone. */
  ended(): Promise<void>;
  /** Ends it with SIGTERM, after `graceMs` with SIGKILL; resolves when it is gone. */
  stop(graceMs?: number): Promise<void>;
  /** The last lines of its log, for a message about why it did not start. */
  logTail(): string;
}

/**
 * The server runs under a shell that waits for the end of its own standard input, so that it ends with this process, also
 * when that is killed. It is in a session of its own: Ctrl-C reaches it only through `stop`.
 */
const GUARD = '"$@" </dev/null 3<&- & server=$!; (cat <&3 >/dev/null; kill -TERM $server) & wait $server';

export function startServerProcess(options: ServerProcessOptions): ServerProcess {
  const log = openSync(options.logFile, 'a');
  const child = spawn('/bin/sh', ['-c', GUARD, 'sh', options.command, ...options.args], {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ['ignore', log, log, 'pipe'],
    ...options.account,
  });
  closeSync(log);
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  return {
    running: () => child.exitCode === null && child.signalCode === null && child.pid !== undefined,
    signal: (signal) => signalGroup(child.pid, signal),
    ended: () => gone,
    stop: (graceMs = 20_000) => stop(child, gone, graceMs),
    logTail: () => readFileSync(options.logFile, 'utf8').split('\n').slice(-20).join('\n'),
  };
}

async function stop(child: ChildProcess, gone: Promise<void>, graceMs: number): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.stdio[3]?.destroy();
  const timer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), graceMs);
  await gone;
  clearTimeout(timer);
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // the group has ended in the meantime
  }
}

/** Asks `ready` every 100 ms until it says yes. Throws with the log's end when the server goes or `timeoutMs` pass. */
export async function waitUntilReady(
  name: string,
  server: ServerProcess,
  ready: () => Promise<boolean>,
  timeoutMs: number,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await ready())) {
    if (!server.running()) throw new Error(`${name} ended while starting:\n${server.logTail()}`);
    if (performance.now() > end) throw new Error(`${name} was not ready after ${timeoutMs} ms:\n${server.logTail()}`);
    await delay(100);
  }
}

/** Runs a command to its end. Throws with its output where it fails. */
export async function run(
  command: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; account?: HostAccount } = {},
): Promise<string> {
  const { account, ...rest } = options;
  const child = spawn(command, args, { ...rest, ...account, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = await once(child, 'close');
  const output = Buffer.concat(chunks).toString('utf8');
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${String(code)}:\n${output}`);
  return output;
}
