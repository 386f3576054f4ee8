import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';

let folder: string;
let main: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trove-service-'));
  main = join(folder, 'main.ts');
  writeFileSync(
    main,
    `import { defineOptions, runService, sharedOptions } from ${JSON.stringify(join(import.meta.dirname, '../index.ts'))};
     const { health_host, health_port, report_interval, log_level, graceful_shutdown_timeout } = sharedOptions;
     await runService({
       name: 'trove-sample',
       options: defineOptions([health_host, health_port, report_interval, log_level, graceful_shutdown_timeout]),
       start: async (config) => {
         if (config.DEFAULT.report_interval === 98) await new Promise((resolve) => process.once('SIGWINCH', resolve));
         const timer = setInterval(() => undefined, 1000);
         return {
           readyText: 'every ' + config.DEFAULT.report_interval + ' s',
           health: () => [],
           close: async () => {
             if (config.DEFAULT.report_interval === 99) await new Promise(() => undefined);
             clearInterval(timer);
             console.log('closed');
           },
         };
       },
     });`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

type Child = ChildProcessByStdio<null, Readable, Readable>;

function run(text: string, env: Record<string, string> = {}): Child {
  const file = join(folder, 'sample.conf');
  writeFileSync(file, text);
  return spawn(process.execPath, [main, '--config-file', file], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function outcome(child: Child): Promise<{ code: number | null; out: string; err: string }> {
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

test('a service says that it is ready, and stops in order at the first signal with exit code 0', async () => {
  const child = run('report_interval = 4\n');
  const ended = outcome(child);
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0, out: 'trove-sample ready every 4 s\nclosed\n' });
});

test('a second signal ends a service that does not stop', async () => {
  const child = run('report_interval = 99\n');
  const ended = outcome(child);
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  await once(child.stderr, 'data');
  child.kill('SIGTERM');
  expect((await ended).code).toBe(1);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

test('a service that does not stop is ended when its time is over, and its health says until then that it stops', async () => {
  const port = await freePort();
  const child = run(`report_interval = 99\ngraceful_shutdown_timeout = 3\nhealth_port = ${port}\n`);
  const ended = outcome(child);
  await once(child.stdout, 'data');
  const health = async (): Promise<[number, string]> => {
    const answer = await fetch(`http://127.0.0.1:${port}/healthcheck`);
    return [answer.status, await answer.text()];
  };
  expect(await health()).toEqual([200, 'OK']);
  child.kill('SIGTERM');
  await once(child.stderr, 'data');
  expect(await health()).toEqual([503, '{"part":"service","reason":"stopping"}\n']);
  expect(await ended).toMatchObject({ code: 1, err: expect.stringContaining('did not stop in order') });
});

test('a service that takes its time to start says so in its health, from the first moment', async () => {
  const port = await freePort();
  const child = run(`report_interval = 98\nhealth_port = ${port}\n`);
  const ended = outcome(child);
  const health = async (): Promise<[number, string]> => {
    const answer = await fetch(`http://127.0.0.1:${port}/healthcheck`);
    return [answer.status, await answer.text()];
  };
  await expect
    .poll(() => health().catch(() => undefined), { timeout: 20_000 })
    .toEqual([503, '{"part":"service","reason":"starting"}\n']);
  child.kill('SIGWINCH');
  await once(child.stdout, 'data');
  expect(await health()).toEqual([200, 'OK']);
  child.kill('SIGTERM');
  expect((await ended).code).toBe(0);
});

test('a bad configuration is one line that names file and option, and exit code 1', async () => {
  const { code, out, err } = await outcome(run('report_intervals = 4\n'));
  expect(code).toBe(1);
  expect(out).toBe('');
  expect(err).toMatch(
    /^trove-sample: .*sample\.conf:1: \[DEFAULT\] report_intervals: there is no such option; did you mean report_interval\?\n$/,
  );
});

test('options of Trove that are not used are listed once at start, and nothing else is said', async () => {
  const child = run('[oslo_messaging_rabbit]\nrabbit_quorum_queue = true\n', { TROVE_LOG_LEVEL: 'warn' });
  const ended = outcome(child);
  await once(child.stdout, 'data');
  child.kill('SIGINT');
  const lines = (await ended).err.trim().split('\n');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ options: ['[oslo_messaging_rabbit] rabbit_quorum_queue'] });
});

test('an argument that is none prints the usage and ends with 2', async () => {
  const child = spawn(process.execPath, [main, '--nonsense'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const { code, err } = await outcome(child);
  expect(code).toBe(2);
  expect(err).toContain('usage: trove-sample');
});
