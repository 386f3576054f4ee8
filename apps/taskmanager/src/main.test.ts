import { join } from 'node:path';
import { testCatalog } from '@trove/catalog/testing';
import { freePort, startServiceProgram, testBroker } from '@trove/testkit';
import { expect, test, vi } from 'vitest';

// Each start is a process of its own, which takes seconds on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const run = (config: string) =>
  startServiceProgram(
    join(import.meta.dirname, '../bin/trove-taskmanager.js'),
    `${config}\n[compute_local]\nroot = $folder/instances\nuser = nobody`,
  );

async function refusal(config: string): Promise<string> {
  const program = run(config);
  expect(await program.ended()).toBe(1);
  return program.output();
}

const KEYS = 'taskmanager_rpc_encr_key = k1-of-a-test\ninst_rpc_key_encr_key = kek-of-a-test';
const BUS = 'transport_url = rabbit://nobody:x@127.0.0.1:1/';

test('a setting that is missing or cannot hold ends the start with its name', async () => {
  expect(await refusal(`[DEFAULT]\n${KEYS}`)).toContain('transport_url is not set');
  expect(await refusal(`[DEFAULT]\n${BUS}\ninst_rpc_key_encr_key = kek`)).toContain(
    'taskmanager_rpc_encr_key is not set',
  );
  expect(await refusal(`[DEFAULT]\n${BUS}\ntaskmanager_rpc_encr_key = k1`)).toContain(
    'inst_rpc_key_encr_key is not set',
  );
  const published = 'taskmanager_rpc_encr_key = bzH6y0SGmjuoY0FNSTptrhgieGXNDX6PIhvz\ninst_rpc_key_encr_key = kek';
  const said = await refusal(`[DEFAULT]\n${BUS}\nallow_published_keys = true\n${published}`);
  expect(said).toContain('taskmanager_rpc_encr_key');
  expect(said).not.toContain('bzH6y0SG');
  const sqlite = '[database]\nconnection = sqlite:////tmp/never.sqlite';
  expect(await refusal(`[DEFAULT]\n${BUS}\n${KEYS}\n${sqlite}`)).toContain('for trove-standalone only');
  const nova = `compute_driver = nova\n[database]\nconnection = mysql://nobody:x@127.0.0.1:1/trove`;
  expect(await refusal(`[DEFAULT]\n${BUS}\n${KEYS}\n${nova}`)).toContain('"nova" is not part of this release');
  const docker = nova.replace('nova', 'docker');
  expect(await refusal(`[DEFAULT]\n${BUS}\n${KEYS}\n${docker}`)).toContain('[compute_docker] host');
});

test('a catalog below its version ends the start with what to run; one that does not answer is waited for', async () => {
  const [broker, catalog, port] = await Promise.all([testBroker(), testCatalog('mysql', 0), freePort()]);
  const config = (url: string) =>
    `[DEFAULT]\ntransport_url = ${broker.url}\n${KEYS}\nhealth_port = ${port}\n[database]\nconnection = ${url}`;
  expect(await refusal(config(catalog.connection))).toContain('run "trove-manage db_sync" first');
  const program = run(config('mysql://nobody:x@127.0.0.1:1/trove'));
  try {
    expect(await program.started()).toContain('trove-taskmanager ready');
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
    expect(await program.started()).toContain('trove-taskmanager ready');
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
    expect(await program.started()).toContain('trove-taskmanager ready');
    expect(program.output()).toContain('share one vhost');
    const answer = await fetch(`http://127.0.0.1:${port}/healthcheck`);
    expect([answer.status, await answer.text()]).toEqual([200, 'OK']);
    const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(page).toContain('trove_bus_connected{bus="sealed"} 1\n');
    expect(page).toContain('trove_peers{policy="v2"} 0\n');
    expect(page).toContain('trove_tasks{state="failed"} 0\n');
    expect(page).toContain('trove_tasks_parked 0\n');
    expect(page).toContain('process_cpu_seconds_total');
  } finally {
    expect(await program.stop()).toBe(0);
    await Promise.all([broker.dispose(), catalog.dispose()]);
  }
});
