import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Catalog, openCatalog } from '@trove/catalog';
import { TroveError } from '@trove/common';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EXIT } from '../exit.ts';
import { createManage } from './manage.ts';

let directory: string;
let catalog: Catalog;
let asked: string[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'trove-manage-'));
  const connection = `sqlite:///${join(directory, 'catalog.sqlite')}`;
  writeFileSync(join(directory, 'trove.conf'), `[database]\nconnection = ${connection}\n`);
  asked = [];
  expect((await run('db_sync')).code).toBe(EXIT.ok);
  catalog = openCatalog({ connection });
  for (const id of ['a', 'b', 'busy', 'c'])
    await catalog.knex('instances').insert({ id, name: id, deleted: 0, datastore_version_id: null });
});
afterEach(async () => {
  await catalog.close();
  rmSync(directory, { recursive: true });
});

/** Files as a taskmanager's function does, and gives the task an end at once. */
let end = { state: 'done', error: null as string | null };
async function rotate({ knex }: Catalog, instanceId: string): Promise<string> {
  if (instanceId === 'busy') throw new TroveError('UNPROCESSABLE', 'Instance busy is busy.');
  if (!(await knex('instances').where({ id: instanceId }).first()))
    throw new TroveError('NOT_FOUND', `Instance ${instanceId} cannot be found.`);
  asked.push(instanceId);
  const ids = { id: `task-${instanceId}`, kind: 'rotate_key', instance_id: instanceId, project_id: 'p' };
  const zero = { attempt: 0, fence: 0, deadline: 0, cancel_requested: 0, code_version: 1, created: 0, updated: 0 };
  await knex('tasks').insert({ ...ids, ...zero, ...end, params: '{}' });
  return ids.id;
}

async function run(...argv: string[]) {
  const [out, err]: [string[], string[]] = [[], []];
  const io = {
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => err.push(text) },
  };
  const nowhere = { notChecked: 'nothing outside in this test' };
  const outside = async () => ({
    things: nowhere,
    flavors: nowhere,
    broker: nowhere,
    secrets: [],
    tap: () => ({ notChecked: 'none' }),
  });
  const program = createManage({ ...io, env: {}, images: async () => [], rotate, rebuild: rotate, outside });
  const code = await program.run(['--config-file', join(directory, 'trove.conf'), ...argv]);
  return { code, out: out.join(''), err: err.join('') };
}

test('one instance is asked for, and waited for; what went wrong is told', async () => {
  end = { state: 'done', error: null };
  expect((await run('keys', 'rotate-instance', 'a')).out).toBe(
    'The key of instance a is being changed: task task-a.\n',
  );
  expect((await run('keys', 'rotate-instance', 'b', '--wait')).out).toContain('was changed');
  end = { state: 'failed', error: JSON.stringify({ code: 'INTERNAL', message: 'It stood at step "agree_key".' }) };
  expect(await run('keys', 'rotate-instance', 'c', '--wait')).toMatchObject({
    code: EXIT.refused,
    err: expect.stringContaining('Task task-c did not end well: It stood at step "agree_key".') as string,
  });
});

test('a rebuild is asked for likewise, and told with its task', async () => {
  end = { state: 'done', error: null };
  expect((await run('rebuild', 'a')).out).toBe('Instance a is being rebuilt: task task-a.\n');
  expect((await run('rebuild', 'b', '--wait')).out).toBe('Instance b was rebuilt: task task-b.\n');
  end = { state: 'failed', error: JSON.stringify({ code: 'UNPROCESSABLE', message: 'The guest agent answers.' }) };
  expect(await run('rebuild', 'c', '--wait')).toMatchObject({
    code: EXIT.refused,
    err: expect.stringContaining('Task task-c did not end well: The guest agent answers.') as string,
  });
  expect((await run('rebuild', 'nobody')).code).toBe(EXIT.notFound);
});

test('an unknown instance is not found, a busy one is refused, each with its reason', async () => {
  expect(await run('keys', 'rotate-instance', 'nobody')).toMatchObject({
    code: EXIT.notFound,
    err: expect.stringContaining('Instance nobody cannot be found.') as string,
  });
  expect(await run('keys', 'rotate-instance', 'busy')).toMatchObject({
    code: EXIT.refused,
    err: expect.stringContaining('is busy') as string,
  });
  expect((await run('keys', 'rotate-all', '--limit', 'some')).code).toBe(EXIT.usage);
});

test('all are asked for in batches that go on where the last one ended, and what is left out is named', async () => {
  end = { state: 'done', error: null };
  const first = await run('keys', 'rotate-all', '--limit', '2');
  expect([asked, first.out]).toEqual([['a', 'b'], '2 being changed, 0 left out. There are more: --after b\n']);
  const rest = await run('keys', 'rotate-all', '--after', 'b');
  expect([asked, rest.out]).toEqual([
    ['a', 'b', 'c'],
    'Left out: Instance busy is busy.\n1 being changed, 1 left out.\n',
  ]);
});

test('keys that are being changed, or were injected, are shown with what they are, and what is owed with what follows', async () => {
  const key = { sealed_key: '', uplink: '', kcv: '0'.repeat(12), policy: 2 };
  await catalog.knex('instance_keys').insert([
    { ...key, instance_id: 'a', version: 1, state: 'active', bootstrap_until: null },
    { ...key, instance_id: 'a', version: 2, state: 'pending', bootstrap_until: null },
    { ...key, instance_id: 'b', version: 1, state: 'active', bootstrap_until: 1 },
    { ...key, instance_id: 'c', version: 1, state: 'active', bootstrap_until: '9000000000000000' },
  ]);
  await catalog.knex('keys_owed').insert([
    { instance_id: 'a', version: 1, what: 'password', since: 1_700_000_000_000_000 },
    { instance_id: 'a', version: 2, what: 'password', since: 1 },
    { instance_id: 'b', version: 1, what: 'rotation', since: '1700000000000000' },
  ]);
  const keys = join(directory, 'keys.conf');
  writeFileSync(keys, '[DEFAULT]\ninst_rpc_key_encr_key = a-kek-of-this-test\n');
  const { out, code } = await run('--config-file', keys, 'keys', 'status');
  expect(code).toBe(EXIT.ok);
  expect(out).toMatch(/\| a +\| 2 +\| pending \| agreed on, not proven yet/);
  expect(out).toMatch(/\| b +\| 1 +\| active +\| injected, half an hour ago or more: opens nothing/);
  expect(out).toMatch(/\| c +\| 1 +\| active +\| injected into a server that is being made/);
  const [unsettled = '', owed = ''] = out.split('| Owed ');
  expect(unsettled).not.toMatch(/\| a +\| 1 /);
  expect(owed).toMatch(/\| a +\| 1 +\| password +\| 2023-11-14T22:13:20.000Z \| the broker still has an older one/);
  expect(owed).toMatch(/\| b +\| 1 +\| another key \| 2023-11-14T22:13:20.000Z \| it stands in its server's files/);
  expect(owed, 'one that is not proven yet is shown above').not.toMatch(/\| a +\| 2 /);
});
