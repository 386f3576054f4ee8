import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openCatalog } from '@trove/catalog';
import { newUuid } from '@trove/common';
import { testBroker } from '@trove/testkit';
import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';

const BIN = join(import.meta.dirname, '../bin/trove-manage.js');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trove-manage-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const run = (...argv: string[]): string =>
  execFileSync(process.execPath, [BIN, ...argv], { encoding: 'utf8', stdio: 'pipe' });

test('the program starts from the shell and names its commands', () => {
  const help = run('--help');
  for (const command of ['db_sync', 'db_downgrade', 'db_version', 'datastore_update', 'image-list'])
    expect(help).toContain(command);
});

test('image-list prints id, name, manager and version of what the configured compute driver has', () => {
  const config = join(folder, 'trove.conf');
  writeFileSync(config, `[compute_local]\nroot = ${folder}/instances\n`);
  const [, heading, , ...rows] = run('--config-file', config, 'image-list').trim().split('\n');
  expect(heading).toMatch(/^\| ID +\| Name +\| Manager +\| Version +\|$/);
  expect(rows.join('\n')).toMatch(/^\| [0-9a-f-]{36} +\| [^|]+ \| postgresql +\| [0-9.]+ +\|$/m);
});

test('check sees the folder of local compute, and looks for the secrets of its files in logs', {
  timeout: 120_000,
}, async () => {
  const connection = `sqlite:///${folder}/catalog.sqlite`;
  const [config, log, instance] = [join(folder, 'checked.conf'), join(folder, 'log'), newUuid()];
  const password = 'p4ssword-of-this-test';
  const urls = `transport_url = rabbit://trove:${password}@127.0.0.1:1/\n`;
  writeFileSync(
    config,
    `[DEFAULT]\n${urls}[database]\nconnection = ${connection}\n[compute_local]\nroot = ${folder}/checked\n`,
  );
  run('--config-file', config, 'db_sync');
  const absent = JSON.parse(run('--config-file', config, 'check', '--json'));
  expect(absent).toMatchObject({ findings: 0 });
  expect(absent.results[2].notChecked[0]).toContain('is not on this machine');
  const catalog = openCatalog({ connection });
  const { deployment_id } = await catalog.knex('deployment').first('deployment_id');
  await catalog.close();
  mkdirSync(join(folder, 'checked', instance, 'volumes/v1'), { recursive: true });
  const record = { id: 'v1', client_token: 't1', deployment_id, instance_id: instance, size: 1 };
  writeFileSync(join(folder, 'checked', instance, 'volumes/v1.json'), JSON.stringify(record));
  writeFileSync(log, `connecting to ${encodeURIComponent(password)}\n`);
  const checked = spawnSync(process.execPath, [BIN, '--config-file', config, 'check', '--logs', log], {
    encoding: 'utf8',
  });
  expect(checked.status).toBe(1);
  expect(checked.stdout).toContain(`${instance}: volume v1 carries this deployment's id and has no owner`);
  expect(checked.stdout).toContain(`${log}, line 1: holds the password of transport_url`);
  expect(checked.stdout + checked.stderr).not.toContain(password);
});

test('check --tap reads along on the bus, and leaves tracing off, after Ctrl-C too', { timeout: 120_000 }, async () => {
  const broker = await testBroker();
  const { origin, username, password } = new URL(broker.managementUrl);
  const headers = { authorization: `Basic ${btoa(`${username}:${password}`)}` };
  const isTraced = async (): Promise<unknown> =>
    ((await (await fetch(`${origin}/api/vhosts/${broker.vhost}`, { headers })).json()) as { tracing: unknown }).tracing;
  const config = join(folder, 'tapped.conf');
  const urls = `transport_url = ${broker.url.replace('amqp:', 'rabbit:')}\nbroker_management_url = ${broker.managementUrl}\n`;
  writeFileSync(
    config,
    `[DEFAULT]\n${urls}[database]\nconnection = sqlite:///${folder}/tapped.sqlite\n[compute_local]\nroot = ${folder}\n`,
  );
  run('--config-file', config, 'db_sync');
  const tap = async (seconds: string, meanwhile: (pid: number) => Promise<void>) => {
    const child = spawn(process.execPath, [BIN, '--config-file', config, 'check', '--tap', seconds]);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = once(child, 'close');
    await expect.poll(isTraced, { timeout: 60_000 }).toBe(true);
    await meanwhile(child.pid ?? 0);
    const [code] = (await ended) as [number];
    expect(await isTraced()).toBe(false);
    return { code, said };
  };
  try {
    const planted = await tap('3', async () => {
      const connection = await connect(broker.url);
      const channel = await connection.createConfirmChannel();
      channel.publish('', 'conductor.ev', Buffer.from('what is said in clear'));
      await channel.waitForConfirms();
      await connection.close();
    });
    expect(planted).toMatchObject({
      code: 1,
      said: expect.stringContaining('not sealed to queue conductor.ev, 1 time'),
    });
    expect(planted.said).not.toContain('what is said in clear');
    const cut = await tap('600', async (pid) => void process.kill(pid, 'SIGINT'));
    expect(cut).toEqual({ code: 2, said: 'trove-manage: could not be checked: ended by SIGINT\n' });
  } finally {
    await broker.dispose();
  }
});

test('a compute driver of a later release is told with its name', () => {
  const config = join(folder, 'nova.conf');
  writeFileSync(config, '[DEFAULT]\ncompute_driver = nova\n');
  expect(() => run('--config-file', config, 'image-list')).toThrow('"nova" is not part of this release');
});

test('a change of an instance key is filed for the taskmanagers, once, and refused where there is none to change', () => {
  const config = join(folder, 'keys.conf');
  const database = join(folder, 'catalog.sqlite');
  writeFileSync(config, `[database]\nconnection = sqlite:///${database}\n`);
  run('--config-file', config, 'db_sync');
  const catalog = new DatabaseSync(database);
  const insert = catalog.prepare(
    'INSERT INTO instances (id, name, tenant_id, deleted, rpc_policy) VALUES (?, ?, ?, 0, ?)',
  );
  for (const [id, policy] of [
    ['clear', 0],
    ['old', 1],
    ['sealed', 2],
  ] as const)
    insert.run(id, id, 'p', policy);
  const rotate = (id: string): string => run('--config-file', config, 'keys', 'rotate-instance', id);
  expect(() => rotate('nobody')).toThrow('Instance nobody cannot be found.');
  expect(() => rotate('clear')).toThrow('has no key; an upgrade gives it one.');
  expect(() => rotate('old')).toThrow("speaks Trove's own protocol");
  expect(rotate('sealed')).toMatch(/^The key of instance sealed is being changed: task [0-9a-f-]{36}\.\n$/);
  expect(() => rotate('sealed')).toThrow('is not currently available');
  expect(() => run('--config-file', config, 'rebuild', 'sealed')).toThrow('has a key: upgrade it');
  const tasks = catalog.prepare('SELECT kind, instance_id, project_id, state FROM tasks').all();
  catalog.close();
  expect(tasks).toEqual([{ kind: 'rotate_key', instance_id: 'sealed', project_id: 'p', state: 'pending' }]);
}, 180_000);
