import type { ChildProcess } from 'node:child_process';

/**
 * For a child in a session of its own (`detached`): Ctrl-C of the terminal reaches this process alone, which says when its
 * children end. They end with it also where it ends before it has said so.
 */
export function endWithThisProcess(child: ChildProcess): void {
  const end = (): void => void child.kill('SIGTERM');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
}
