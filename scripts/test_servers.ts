// Starts RabbitMQ and MariaDB for tests and prints what to export. With `--detach` it returns once they answer and leaves
// them running; without, Ctrl-C ends them. TROVE_TEST_ENV_FILE=FILE writes the exports there too.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { provideServers } from '../packages/testkit/src/index.ts';

const envFile = process.env['TROVE_TEST_ENV_FILE'];
const READY = '# ready';

if (process.argv.includes('--detach')) await startDetached();
else await serve();

async function serve(): Promise<void> {
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => ending.abort());
  const servers = await provideServers(process.env, (line) => console.error(line));
  const exports = Object.entries(servers.urls).map(([name, url]) => `export ${name}='${url}'\n`);
  if (envFile) await writeFile(envFile, exports.join(''), { mode: 0o600 });
  process.stdout.write(`${exports.join('')}${READY}: ${servers.descriptions.join('; ')}\n`);
  while (!ending.signal.aborted && servers.running()) {
    await delay(1000, undefined, { signal: ending.signal }).catch(() => undefined);
  }
  if (!ending.signal.aborted) process.exitCode = 1;
  await servers.stop();
  if (envFile) await rm(envFile, { force: true });
}

async function startDetached(): Promise<void> {
  const child = spawn(process.execPath, [import.meta.filename], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line);
    if (line.startsWith(READY)) {
      console.log(`# to stop them: kill ${child.pid}`);
      child.stdout.destroy();
      child.unref();
      return;
    }
  }
  await ended;
  process.exitCode = 1;
}
