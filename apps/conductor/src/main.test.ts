import { join } from 'node:path';
import { testCatalog } from '@trove/catalog/testing';
import { freePort, startServiceProgram, testBroker } from '@trove/testkit';
import { expect, test, vi } from 'vitest';

// Each start is a process of its own, which takes seconds on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const run = (config: string) => startServiceProgram(join(import.meta.dirname, '../bin/trove-conductor.js'), config);

async function refusal(config: string): Promise<string> {
  const program = run(config);
  expect(await program.ended()).toBe(1);
  return program.output();
}

const KEYS = 'inst_rpc_key_encr_key = kek-of-a-test';
const BUS = 'transport_url = rabbit://nobody:x@127.0.0.1:1/';

test('a setting that is missing or cannot hold ends the start with its name', async () => {
  expect(await refusal(`[DEFAULT]\n${KEYS}`)).toContain('transport_url is not set');
  expect(await refusal(`[DEFAULT]\n${BUS}`)).toContain('inst_rpc_uplink_encr_key');
  const said = await refusal(`[DEFAULT]\n${BUS}\ninst_rpc_key_encr_key = emYjgHFqfXNB1NGehAFIUeoyw4V4XwWHEaKP`);
  expect(said).toContain('inst_rpc_key_encr_key');
  expect(said).not.toContain('emYjgHFq');
  const sqlite = '[database]\nconnection = sqlite:////tmp/never.sqlite';
  expect(await refusal(`[DEFAULT]\n${BUS}\n${KEYS}\n${sqlite}`)).toContain('for trove-standalone only');
});

test('a catalog below its version ends the start with what to run; one that does not answer is waited for', async () => {
  const [broker, catalog, port] = await Promise.all([testBroker(), testCatalog('mysql', 0), freePort()]);
  const config = (url: string) =>
    `[DEFAULT]\ntransport_url = ${broker.url}\n${KEYS}\nhealth_port = ${port}\n[database]\nconnection = ${url}`;
  expect(await refusal(config(catalog.connection))).toContain('run "trove-manage db_sync" first');
  const program = run(config('mysql://nobody:x@127.0.0.1:1/trove'));
  try {
    expect(await program.started()).toContain('trove-conductor ready');
    const answer = await fetch(`http://127.0.0.1:${port}/healthcheck`);
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining('"catalog"')]);
  } finally {
    expect(await program.stop()).toBe(0);
    await Promise.all([broker.dispose(), catalog.dispose()]);
  }
});

test('without a broker and a catalog it is up, says what is broken, and stops at a signal', async () => {
  const port = await freePort();
  const database = '[database]\nconnection = mysql://nobody:x@127.0.0.1:1/trove';
  const program = run(`[DEFAULT]\n${BUS}\n${KEYS}\nhealth_port = ${port}\n${database}`);
  try {
    expect(await program.started()).toContain('trove-conductor ready');
    const answer = await fetch(`http://127.0.0.1:${port}/healthcheck`);
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining('"bus"')]);
  } finally {
    expect(await program.stop()).toBe(0);
  }
});

test('it starts on a real broker and catalog, says so, answers healthy, and stops at a signal', async () => {
  const [broker, catalog, port] = await Promise.all([testBroker(), testCatalog('mysql'), freePort()]);
  const program = run(
    `[DEFAULT]\ntransport_url = ${broker.url}\n${KEYS}\nhealth_port = ${port}\n[database]\nconnection = ${catalog.connection}`,
  );
  try {
    expect(await program.started()).toContain('trove-conductor ready');
    expect(program.output()).toContain('this conductor could command guests');
    const answer = await fetch(`http://127.0.0.1:${port}/healthcheck`);
    expect([answer.status, await answer.text()]).toEqual([200, 'OK']);
    const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(page).toContain('trove_bus_connected{bus="sealed"} 1\n');
    expect(page).toContain('process_cpu_seconds_total');
  } finally {
    expect(await program.stop()).toBe(0);
    await Promise.all([broker.dispose(), catalog.dispose()]);
  }
});
