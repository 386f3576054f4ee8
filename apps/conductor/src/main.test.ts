import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testCatalog } from '@trove/catalog/testing';
import { testBroker } from '@trove/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

const BIN = join(import.meta.dirname, '../bin/trove-conductor.js');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trove-conductor-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(text: string): ChildProcess & { output: () => string } {
  const file = join(folder, 'trove-conductor.conf');
  writeFileSync(file, `${text}\n`);
  const child = spawn(process.execPath, [BIN, '--config-file', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  return Object.assign(child, { output: () => output });
}

async function refusal(text: string): Promise<string> {
  const child = run(text);
  expect(await once(child, 'close')).toEqual([1, null]);
  return child.output();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const KEYS = 'inst_rpc_key_encr_key = kek-of-a-test';
const BUS = 'transport_url = rabbit://nobody:x@127.0.0.1:1/';
const SQLITE = '[database]\nconnection = sqlite:////tmp/never.sqlite';

test('a setting that is missing or cannot hold ends the start with its name', async () => {
  expect(await refusal(`[DEFAULT]\n${KEYS}`)).toContain('transport_url is not set');
  expect(await refusal(`[DEFAULT]\n${BUS}`)).toContain('inst_rpc_uplink_encr_key');
  const said = await refusal(`[DEFAULT]\n${BUS}\ninst_rpc_key_encr_key = emYjgHFqfXNB1NGehAFIUeoyw4V4XwWHEaKP`);
  expect(said).toContain('inst_rpc_key_encr_key');
  expect(said).not.toContain('emYjgHFq');
  expect(await refusal(`[DEFAULT]\n${BUS}\n${KEYS}\n${SQLITE}`)).toContain('for trove-standalone only');
});

test('it starts on a real broker and catalog, says so, answers healthy, and stops at a signal', async () => {
  const [broker, catalog, port] = await Promise.all([testBroker(), testCatalog('mysql'), freePort()]);
  const url = broker.url.replace('amqp:', 'rabbit:').replace(/\?.*$/, '');
  const child = run(
    `[DEFAULT]\ntransport_url = ${url}\n${KEYS}\nhealth_port = ${port}\n[database]\nconnection = ${catalog.connection}`,
  );
  try {
    await Promise.race([once(child.stdout ?? child, 'data'), once(child, 'close')]);
    expect(child.output()).toContain('trove-conductor ready');
    expect(child.output()).toContain('this conductor could command guests');
    const answer = await fetch(`http://127.0.0.1:${port}/healthcheck`);
    expect([answer.status, await answer.text()]).toEqual([200, 'OK']);
    const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(page).toContain('trove_bus_connected{bus="sealed"} 1\n');
    expect(page).toContain('process_cpu_seconds_total');
  } finally {
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
    await Promise.all([broker.dispose(), catalog.dispose()]);
  }
});
