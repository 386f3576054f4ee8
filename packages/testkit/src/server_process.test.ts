import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServerProcess, waitUntilReady } from './server_process.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trove-process-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function server(script: string) {
  const logFile = join(folder, 'log');
  return startServerProcess({
    command: '/bin/sh',
    args: ['-c', script],
    env: process.env,
    cwd: folder,
    account: undefined,
    logFile,
  });
}

test('a server that ends while starting is reported with what it said', async () => {
  const ended = server('echo port in use; exit 3');
  await expect(waitUntilReady('It', ended, () => Promise.resolve(false), 10_000)).rejects.toThrow(
    /ended while starting[^]*port in use/,
  );
});

test('a stopped server is gone when stop returns', async () => {
  const running = server('exec sleep 600');
  expect(running.running()).toBe(true);
  await running.stop();
  expect(running.running()).toBe(false);
});

test('a server ends with the process that started it, also when that is killed', async () => {
  const pidFile = join(folder, 'pid');
  const script = `echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 600`;
  const starter = join(folder, 'starter.ts');
  const options = { command: '/bin/sh', args: ['-c', script], cwd: folder, logFile: join(folder, 'log2') };
  writeFileSync(
    starter,
    `import { startServerProcess } from ${JSON.stringify(join(import.meta.dirname, 'server_process.ts'))};
     import { existsSync, readFileSync } from 'node:fs';
     startServerProcess({ ...${JSON.stringify(options)}, env: process.env, account: undefined });
     while (!existsSync(${JSON.stringify(pidFile)})) await new Promise((wake) => setTimeout(wake, 20));
     console.log(readFileSync(${JSON.stringify(pidFile)}, 'utf8'));
     await new Promise((wake) => setTimeout(wake, 600_000));`,
  );
  const child = spawn(process.execPath, [starter], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  expect(isAlive(pid)).toBe(true);
  child.kill('SIGKILL');
  const end = performance.now() + 5000;
  while (isAlive(pid) && performance.now() < end) await delay(20);
  expect(isAlive(pid)).toBe(false);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
