import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Catalog, openCatalog, readReconcileState, recordDifferences } from '@trove/catalog';
import { Secret } from '@trove/common';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createManage } from './manage.ts';
import type { Outside } from './session.ts';

const INSTANCE = '5d891fe8-97a5-4a4e-8e6f-6ce9e8d6a3a1';
const SECRET = 'a-secret-of-the-files';
let directory: string;
let config: string;
let outside: Outside;
let catalog: Catalog;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'trove-check-'));
  config = join(directory, 'trove.conf');
  const connection = `sqlite:///${join(directory, 'catalog.sqlite')}`;
  writeFileSync(config, `[database]\nconnection = ${connection}\n`);
  outside = {
    things: { read: async () => [] },
    flavors: { read: async () => [] },
    broker: { notChecked: 'the broker: not in this test' },
    tap: (seconds) => ({ read: async () => ({ notChecked: [`the bus: nothing for ${seconds} s in this test`] }) }),
    secrets: [{ name: 'the password of this test', secret: new Secret(SECRET) }],
  };
  await run('db_sync');
  catalog = openCatalog({ connection });
});
afterEach(async () => {
  await catalog.close();
  rmSync(directory, { recursive: true });
});

async function run(...argv: string[]) {
  const [out, err]: [string[], string[]] = [[], []];
  const io = {
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => err.push(text) },
  };
  const program = createManage({
    ...io,
    env: {},
    images: async () => [],
    rotate: async () => '',
    rebuild: async () => '',
    outside: async () => outside,
  });
  const code = await program.run(['--config-file', config, ...argv]);
  return { code, out: out.join(''), err: err.join('') };
}

test('check says what holds, what it found with what to do, and what it could not look at', async () => {
  const { code, out } = await run('check');
  expect(code).toBe(0);
  expect(out).toMatch(/^I1 {2}holds {13}no task is unfinished past both its deadlines$/m);
  expect(out).toContain('      not checked: the broker: not in this test\n');
  expect(out).toContain('      not checked: the files hold no inst_rpc_key_encr_key');
  expect(out).toContain('      not checked: the bus: give --tap SECONDS to read along\n');
  expect(out).toContain("      not checked: what guests have done: give guests' logs with --logs\n");
  await catalog
    .knex('instances')
    .insert({ id: INSTANCE, deleted: 0, task_id: 3, task_start_time: '2026-01-02 03:04:05' });
  const found = await run('check');
  expect(found).toMatchObject({ code: 1, err: 'trove-manage: 1 found\n' });
  expect(found.out).toContain(
    `I2  1 found           no instance is in a transient status without a live task\n      ${INSTANCE}: shows REBOOTING and no task is at work on it, since 2026-01-02T03:04:05.000Z\n        The reconciler settles it`,
  );
});

test('check --json is the whole report; a secret in a log is found and not shown', async () => {
  const log = join(directory, 'trove.log');
  writeFileSync(log, `{"msg":"connected","url":"rabbit://trove:${SECRET}@broker"}\n`);
  const { code, out } = await run('check', '--json', '--logs', log);
  expect(code).toBe(1);
  const report = JSON.parse(out);
  expect(report.findings).toBe(1);
  expect(report.results[8].findings[0].what).toBe(`${log}, line 1: holds the password of this test`);
  expect(out).not.toContain(SECRET);
});

test("check --logs with guests' logs tells what was begun twice; check --tap says how much it saw, and how long is its choice", async () => {
  const log = join(directory, 'agent.log');
  const line = (message: string, idempotency_key: string): string =>
    `${JSON.stringify({ message, method: 'restart', idempotency_key, instance_id: INSTANCE })}\n`;
  const tried = line('request begun', 'tried again') + line('request forgotten', 'tried again');
  const other = 'no JSON: "idempotency_key"\n';
  writeFileSync(log, tried + line('request begun', 'tried again') + line('request begun', 'once') + other);
  const { code, out } = await run('check', '--logs', log, '--tap', '7');
  expect([code, out]).toEqual([0, expect.stringMatching(/^I8 {2}holds /m)]);
  expect(out).toContain('      tapped: 0 messages on the bus, 0 of them sealed\n');
  expect(out).toContain('      not checked: the bus: nothing for 7 s in this test\n');
  writeFileSync(log, line('request begun', 'once'), { flag: 'a' });
  expect((await run('check', '--logs', log)).out).toContain(
    `      ${INSTANCE}: restart was begun anew 2 times under idempotency key once\n`,
  );
  writeFileSync(log, other);
  expect((await run('check', '--logs', log)).out).toContain('their logs are not among the files given\n');
  for (const seconds of ['0', '3601', 'long', '-1']) expect((await run('check', '--tap', seconds)).code).toBe(2);
});

test('check that cannot be made is told apart from one that finds something', async () => {
  outside = { ...outside, things: { read: () => Promise.reject(new Error('compute does not answer')) } };
  expect(await run('check')).toMatchObject({
    code: 2,
    err: 'trove-manage: could not be checked: compute does not answer\n',
  });
  expect((await run('check', '--logs', join(directory, 'none'))).code).toBe(2);
});

test('reconcile shows what differs and what follows, and changes nothing before --apply', async () => {
  expect((await run('reconcile')).out).toBe('No taskmanager has compared anything yet.\n');
  await recordDifferences(catalog, [
    { kind: 'unheard', subject: 'volume:v1', instanceId: INSTANCE, detail: 'never heard of' },
    { kind: 'unowned', subject: 'server:s1', instanceId: null, detail: 'its instance is deleted' },
    { kind: 'status', subject: INSTANCE, instanceId: INSTANCE, detail: 'shows UPGRADING' },
  ]);
  await catalog.knex('reconciler').update({ ran_at: Date.now() * 1000, held_since: 1 });
  const { out } = await run('reconcile');
  expect(out).toMatch(/^Compared at .*Z\. Differences: 3\.\n/);
  expect(out).toMatch(/\| unheard +\| volume:v1 .*\| would remove it, after --apply +\|/);
  expect(out).toMatch(/\| unowned +\| server:s1 .*\| removes it, after --apply +\|/);
  expect(out).toMatch(/\| status +\|.*\| settles the status by the server's, with a fault, after reconcile_grace +\|/);
  expect((await readReconcileState(catalog.knex)).heldSince).toBe(1n);
  const applied = await run('reconcile', '--apply');
  expect(applied.out).toMatch(/\n3 approved: a taskmanager looks at each again at its next run, and acts\.\n$/);
  const { heldSince, findings } = await readReconcileState(catalog.knex);
  expect(heldSince).toBeNull();
  expect(findings.map((finding) => finding.approved)).toEqual([true, true, true]);
  expect((await run('reconcile')).out).toMatch(/\| removes it at the next run +\|/);
});
