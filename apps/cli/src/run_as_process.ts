import { EXIT } from './exit.ts';
import type { Program } from './program.ts';

/**
 * Runs a program as this process. A reader that has gone (`trove list | head -1`) ends nothing of what the program does; an
 * output that takes no more for another reason, such as a full disk, is told, with exit code 1.
 */
export async function runAsProcess(name: string, program: Program): Promise<void> {
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    process.stderr.write(`${name}: what it has to say cannot be written (${error.code ?? error.message}).\n`);
    // At the end, since the program's own code is set before.
    process.once('exit', () => (process.exitCode = EXIT.refused));
  });
  process.exitCode = await program.run(process.argv.slice(2));
}
