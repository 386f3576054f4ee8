import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Measurement, measure } from '@trove/testkit/bench';
import { type Program, servicePrograms } from './service_programs.ts';

const ROUNDS = 5;
const READY = 'ready';
const BARE: Program = {
  name: 'node -e',
  args: ['-e', `console.log('${READY}'); setInterval(() => {}, 1000)`],
  env: process.env,
  readyLine: READY,
};

/** How long each service takes from its start to its ready line, and the memory that it has then. The baseline is Node alone. */
export async function benchServices(): Promise<Measurement[]> {
  const folder = mkdtempSync(join(tmpdir(), 'trove-bench-'));
  // The servers of instances run under accounts of their own, which must be able to pass through.
  chmodSync(folder, 0o711);
  const { programs, dispose } = await servicePrograms(folder);
  try {
    const contenders = [BARE, ...programs].map((program) => ({ name: program.name, run: () => startAndStop(program) }));
    return [
      await measure({
        name: 'services, started one at a time',
        conditions: 'until the ready line; sources run as they are; migrated catalog, broker and caches warm',
        rounds: ROUNDS,
        contenders,
      }),
    ];
  } finally {
    await dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function startAndStop({ args, env, readyLine }: Program): Promise<Record<string, number>> {
  const start = performance.now();
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = once(child, 'exit');
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if (!line.startsWith(readyLine)) continue;
      return { 'start ms': performance.now() - start, 'RSS MiB': residentMib(child.pid) };
    }
    throw new Error(`${args[0]} ended before it was ready: ${said}`);
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

function residentMib(pid: number | undefined): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}
