import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createCli, EXIT } from '@trove/cli';
import { freePort } from '@trove/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';

const PROGRAM = join(import.meta.dirname, '..', 'bin', 'trove-standalone.js');

let folder: string;
let port: number;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trove-standalone-'));
  chmodSync(folder, 0o711);
  port = await freePort();
});

afterEach(async () => {
  for (const child of children.splice(0)) await stop(child, 'SIGTERM');
  rmSync(folder, { recursive: true, force: true });
});

function start(more: NodeJS.ProcessEnv = {}): ChildProcess {
  const env = { ...process.env, TROVE_HOME: join(folder, 'home'), TROVE_BIND_PORT: String(port), ...more };
  const child = spawn(process.execPath, [PROGRAM], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  return child;
}

async function ready(child: ChildProcess): Promise<string[]> {
  if (child.stdout === null) throw new Error('no output');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (line.startsWith('trove-standalone ready')) break;
  }
  return lines;
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = once(child, 'exit');
  child.kill(signal);
  const [code] = (await ended) as [number | null];
  return code;
}

async function trove(...argv: string[]): Promise<{ code: number; out: string }> {
  const out: string[] = [];
  const write = (text: string) => out.push(text);
  const cli = createCli({ fetch, stdout: { write }, stderr: { write }, env: { TROVE_HOME: join(folder, 'home') } });
  return { code: await cli.run(argv), out: out.join('') };
}

test('stopping, killing and starting it loses nothing: instances, databases and running tasks are taken up again', async () => {
  const first = start();
  const lines = await ready(first);
  for (const part of ['API', 'catalog', 'bus', 'compute', 'datastores'])
    expect(lines.some((line) => line.trim().startsWith(part))).toBe(true);
  expect(await trove('create', 'db1', '1', '--size', '1', '--databases', 'shop', '--wait')).toMatchObject({
    code: EXIT.ok,
  });

  const second = start();
  const exited = once(second, 'exit');
  const [errorText] = (await once(second.stderr ?? second, 'data')) as [Buffer];
  expect(errorText.toString()).toContain(`held by process ${first.pid}`);
  expect(await exited).toEqual([1, null]);

  expect(await trove('create', 'db2', '1', '--size', '1')).toMatchObject({ code: EXIT.ok });
  await stop(first, 'SIGKILL');

  const third = start();
  await ready(third);
  expect((await trove('database-list', 'db1')).out).toContain('shop');
  expect(await until(async () => /db2.*ACTIVE/.test((await trove('list')).out))).toBe(true);
  expect(await stop(third, 'SIGINT')).toBe(0);

  const fourth = start();
  await ready(fourth);
  expect(await until(async () => (await trove('database-list', 'db1')).out.includes('shop'))).toBe(true);
  expect(await trove('delete', 'db1', 'db2', '--wait')).toMatchObject({ code: EXIT.ok });
  expect(JSON.parse(readFileSync(join(folder, 'home', 'tokens.json'), 'utf8'))).toHaveProperty('tokens');
}, 240_000);

/** A running task of a killed control plane is taken up when its lease has ended, 30 s. */
async function until(holds: () => Promise<boolean>): Promise<boolean> {
  for (let second = 0; second < 90; second += 1) {
    if (await holds()) return true;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  return false;
}

test('another compute driver than the local one is refused by name', async () => {
  expect(await refusal({ TROVE_COMPUTE_DRIVER: 'docker' })).toContain('[DEFAULT] compute_driver');
});

test('a folder that cannot be used is told with what to do, and no stack', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const said = await refusal({ TROVE_HOME: join(file, 'home') });
  expect(said).toMatch(
    /^trove-standalone: .*file\/home cannot be used: ENOTDIR.*\n {2}Set TROVE_HOME to a folder .*\n$/,
  );
});

/** What it says when it does not start. */
async function refusal(more: NodeJS.ProcessEnv): Promise<string> {
  const child = start(more);
  const exited = once(child, 'exit');
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
  });
  expect(await exited).toEqual([1, null]);
  return said;
}
