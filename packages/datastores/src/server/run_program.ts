import { spawn } from 'node:child_process';
import { TroveError } from '@trove/common';
import type { Account } from './folders.ts';

const OUTPUT_LIMIT = 4000;

/**
 * A database's programs see nothing of the agent's environment, which may hold settings of the control plane. Their
 * temporary files are their own: a starting MariaDB removes every `#sql*` of its folder for them, another server's too.
 */
export function programEnvironment(home: string): NodeJS.ProcessEnv {
  const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  return { PATH, HOME: home, TMPDIR: home, LANG: 'C.UTF-8' };
}

export interface RunOptions {
  readonly cwd: string;
  readonly account?: Account | undefined;
  readonly input?: string;
  readonly timeoutMs?: number;
}

/**
 * Runs a program to its end and resolves to its output. A failure is a `GUEST_ERROR` whose cause has the end of the
 * output; the input, which may hold a password, is in no message.
 */
export async function runProgram(program: string, args: readonly string[], options: RunOptions): Promise<string> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: programEnvironment(options.cwd),
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? 120_000,
    ...options.account,
  });
  let output = '';
  const collect = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(-OUTPUT_LIMIT);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const ended = await new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code === 0 ? undefined : `ended with ${code ?? signal}: ${output}`));
  });
  if (ended !== undefined) {
    throw new TroveError('GUEST_ERROR', 'A program of the database server failed.', { cause: new Error(ended) });
  }
  return output;
}
