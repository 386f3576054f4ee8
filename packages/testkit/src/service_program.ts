import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A service's program, running on a configuration file of its own. */
export interface ServiceProgram {
  /** All that it has written. */
  output(): string;
  /** Resolves at its first line on standard output, or at its end, with all that it has written. */
  started(): Promise<string>;
  /** Resolves with its exit code, null where a signal ended it. */
  ended(): Promise<number | null>;
  /** SIGTERM; resolves as `ended`. */
  stop(): Promise<number | null>;
  /** SIGKILL; resolves as `ended`. */
  kill(): Promise<number | null>;
}

/** Starts `bin` with `--config-file`; `config` is the file's text, `$folder` in it a folder that goes when the program ends. */
export function startServiceProgram(bin: string, config: string): ServiceProgram {
  const folder = mkdtempSync(join(tmpdir(), 'trove-service-'));
  // Guests of a service that is root live below it.
  chmodSync(folder, 0o755);
  const file = join(folder, 'trove.conf');
  writeFileSync(file, `${config.replaceAll('$folder', folder)}\n`);
  const child = spawn(process.execPath, [bin, '--config-file', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const end = once(child, 'close').then(([code]) => {
    rmSync(folder, { recursive: true, force: true });
    return code as number | null;
  });
  const first = Promise.race([once(child.stdout, 'data'), end]);
  const endBy = (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    return end;
  };
  return {
    output: () => output,
    started: () => first.then(() => output),
    ended: () => end,
    stop: () => endBy('SIGTERM'),
    kill: () => endBy('SIGKILL'),
  };
}
