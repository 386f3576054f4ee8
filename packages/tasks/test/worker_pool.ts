import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkerArguments } from './worker.ts';

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));

/** So many worker processes at a time: one that is killed is followed by another. */
export class WorkerPool {
  readonly #given: WorkerArguments;
  readonly #workers = new Set<ChildProcess>();
  #output = '';
  #closing = false;
  #killed = 0;

  constructor(size: number, given: WorkerArguments) {
    this.#given = given;
    for (let index = 0; index < size; index += 1) this.#start();
  }

  /** How many ended by SIGKILL. */
  get killed(): number {
    return this.#killed;
  }

  get pids(): number[] {
    return [...this.#workers].flatMap(({ pid }) => pid ?? []);
  }

  /** What all workers have logged. */
  get output(): string {
    return this.#output;
  }

  /** Asks them to end, goes on at most so long, and kills what still runs: one that is stopped too. */
  async close(withinMs = 5000): Promise<void> {
    this.#closing = true;
    const workers = [...this.#workers];
    for (const worker of workers) worker.kill('SIGTERM');
    const timer = setTimeout(() => {
      for (const worker of workers) worker.kill('SIGKILL');
    }, withinMs);
    await Promise.all(
      workers
        .filter((worker) => worker.exitCode === null && worker.signalCode === null)
        .map((worker) => once(worker, 'exit')),
    );
    clearTimeout(timer);
  }

  #start(): void {
    const worker = spawn(process.execPath, [WORKER], {
      stdio: ['ignore', 'inherit', 'pipe'],
      // Dozens are started: all but the first find the modules compiled.
      env: {
        ...process.env,
        WORKER_ARGUMENTS: JSON.stringify(this.#given),
        NODE_COMPILE_CACHE: join(this.#given.ordersFolder, '..', 'compiled'),
      },
    });
    this.#workers.add(worker);
    worker.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
    });
    worker.once('exit', (code, signal) => {
      this.#workers.delete(worker);
      if (this.#closing) return;
      // Anything but the signal that was ordered is a fault of its own; starting it again would only repeat it.
      if (signal !== 'SIGKILL') throw new Error(`a worker ended with ${code}: ${this.#output.slice(-2000)}`);
      this.#killed += 1;
      this.#start();
    });
  }
}
