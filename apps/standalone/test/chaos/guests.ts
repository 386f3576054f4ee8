import { execFileSync } from 'node:child_process';
import { agentProgram } from './inside/run_folder.ts';

/** The processes of this run's agents, asked of the system. */
export function guestPids(folder: string): readonly number[] {
  const program = agentProgram(folder);
  const lines = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,args='], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  return lines
    .split('\n')
    .filter((line) => line.includes(program))
    .map((line) => Number.parseInt(line, 10));
}

export function signalGuest(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended in the meantime
  }
}
