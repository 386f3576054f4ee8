import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { CommandResult } from '../outside.ts';
import { endWithThisProcess } from './child.ts';

/** Runs one of the repository's programs as a process of its own, to its end. */
export async function runProgram(
  script: string,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<CommandResult> {
  const child = spawn(process.execPath, [script, ...argv], { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  endWithThisProcess(child);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? 1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
}
