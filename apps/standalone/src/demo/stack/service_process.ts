import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { endWithThisProcess } from '../looks/child.ts';

/** One service as a process of its own, started by its program. */
export interface ServiceProcess {
  /** The line that said it is ready. */
  readonly ready: string;
  /** SIGTERM, and waits for its end. */
  stop(): Promise<void>;
}

export async function startService(script: string, configFile: string, logFile: string): Promise<ServiceProcess> {
  const log = openSync(logFile, 'a');
  const options = { stdio: ['ignore', 'pipe', log] as ['ignore', 'pipe', number], detached: true };
  const child = spawn(process.execPath, [script, '--config-file', configFile], options);
  endWithThisProcess(child);
  const ready = await firstLine(child, logFile);
  return {
    ready,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

async function firstLine(child: ChildProcess, logFile: string): Promise<string> {
  if (child.stdout === null) throw new Error('the service has no standard output');
  const lines = createInterface({ input: child.stdout });
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`the service ended with code ${String(code)} before it was ready; see ${logFile}`);
  });
  const [line] = (await Promise.race([once(lines, 'line'), exited])) as [string];
  exited.catch(() => undefined);
  return line;
}
