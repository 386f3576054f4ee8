import { downgradeCatalog, syncCatalog } from '@trove/migrations';
import type { Knex } from 'knex';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type TestCatalog, testCatalog } from './testing.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const DATASTORE = { id: 'ds', name: 'mysql', default_version_id: 'v' };
const KEY = 'fVpHrkUIjVsXe7Fj7Lm4u2xnJUsWX2rMC9GL0AppILJINBZxLvkowY8FOa+asKS+8pWb4iNyukQQ4AQoLEUHUQ==';

const columns = async (knex: Knex, table: string): Promise<string[]> => Object.keys(await knex(table).columnInfo());
const refused = (query: PromiseLike<unknown>): Promise<boolean> =>
  Promise.resolve(query).then(
    () => false,
    () => true,
  );

describe.each(['mysql', 'sqlite'] as const)('each migration on %s, up and down with rows in the tables', (dialect) => {
  let catalog: TestCatalog;
  let knex: Knex;

  beforeEach(async () => {
    catalog = await testCatalog(dialect, 40);
    knex = catalog.knex;
    await knex('datastores').insert(DATASTORE);
    await knex('datastore_versions').insert({
      id: 'v',
      datastore_id: 'ds',
      name: '5.6',
      image_id: 'image',
      active: 1,
      manager: 'mysql',
    });
    await knex('instances').insert([
      { id: 'i1', name: 'm2', tenant_id: 'p', deleted: 0, datastore_version_id: 'v' },
      { id: 'i2', name: 'm3', tenant_id: 'p', deleted: 0, datastore_version_id: 'v', slave_of_id: 'i1' },
    ]);
    await knex('service_statuses').insert({ id: 's', instance_id: 'i1', status_id: 1, status_description: 'running' });
  });
  afterEach(async () => {
    await catalog.dispose();
  });

  const up = (to: number) => syncCatalog(knex, { to });
  const down = (to: number, dropKeys = false) => downgradeCatalog(knex, { to, dropKeys });
  const names = () => knex('instances').orderBy('id').pluck('name');

  test('41: the key column', async () => {
    expect(await columns(knex, 'instances')).toHaveLength(23);
    await up(41);
    expect((await columns(knex, 'instances')).indexOf('encrypted_key')).toBe(23);
    expect(await knex('instances').pluck('encrypted_key')).toEqual([null, null]);
    await down(40);
    expect(await columns(knex, 'instances')).toHaveLength(23);
    expect(await names()).toEqual(['m2', 'm3']);
  });

  test('42: the configuration of a cluster, which must be there', async () => {
    const cluster = {
      created: '2026-01-01 00:00:00',
      updated: '2026-01-01 00:00:00',
      name: 'c',
      task_id: 1,
      tenant_id: 'p',
      datastore_version_id: 'v',
      deleted: 0,
    };
    await up(41);
    await knex('clusters').insert({ id: 'c1', ...cluster });
    await knex('instances').where({ id: 'i1' }).update({ cluster_id: 'c1' });
    await up(42);
    expect(await knex('clusters').pluck('configuration_id')).toEqual([null]);
    expect(await refused(knex('clusters').insert({ id: 'c2', ...cluster, configuration_id: 'none' }))).toBe(true);
    await down(41);
    expect(await columns(knex, 'clusters')).not.toContain('configuration_id');
    expect(await knex('clusters').pluck('id')).toEqual(['c1']);
    expect(await refused(knex('clusters').insert({ id: 'c3', ...cluster, datastore_version_id: 'none' }))).toBe(true);
  });

  test('43: an instance may be without a version', async () => {
    const bare = { id: 'i3', name: 'm4', deleted: 0, datastore_version_id: null };
    await up(42);
    expect(await refused(knex('instances').insert(bare))).toBe(true);
    await up(43);
    await knex('instances').insert(bare);
    await expect(down(42)).rejects.toThrow('instances.datastore_version_id is NULL');
    await up(43);
    await knex('instances').where({ id: 'i3' }).delete();
    await down(42);
    expect(await refused(knex('instances').insert(bare))).toBe(true);
    expect(await names()).toEqual(['m2', 'm3']);
  });

  test('44: parameters lose their mark of deletion, and the deleted ones with it', async () => {
    const parameter = { datastore_version_id: 'v', restart_required: 0, data_type: 'integer' };
    await up(43);
    await knex('datastore_configuration_parameters').insert([
      { id: 'a', name: 'kept', deleted: 0, ...parameter },
      { id: 'b', name: 'gone', deleted: 1, ...parameter },
    ]);
    await up(44);
    expect(await knex('datastore_configuration_parameters').pluck('name')).toEqual(['kept']);
    expect(await columns(knex, 'datastore_configuration_parameters')).not.toContain('deleted_at');
    await down(43);
    expect(await knex('datastore_configuration_parameters').select('name', 'deleted')).toEqual([
      { name: 'kept', deleted: null },
    ]);
    expect(await refused(knex('datastore_configuration_parameters').update({ deleted: 2 }))).toBe(true);
  });

  test('45: backup strategies, one per project and instance', async () => {
    const strategy = { tenant_id: 'p', instance_id: 'i1', backend: 'swift' };
    await up(45);
    await knex('backup_strategy').insert({ id: 'a', ...strategy });
    expect(await refused(knex('backup_strategy').insert({ id: 'b', ...strategy }))).toBe(true);
    await down(44);
    expect(await knex.schema.hasTable('backup_strategy')).toBe(false);
  });

  test('46: who may reach an instance', async () => {
    await up(46);
    expect((await columns(knex, 'instances')).slice(23)).toEqual(['encrypted_key', 'access']);
    await knex('instances').where({ id: 'i1' }).update({ access: '{"is_public": false}' });
    await down(45);
    expect(await columns(knex, 'instances')).not.toContain('access');
    expect(await names()).toEqual(['m2', 'm3']);
  });

  test('47: a version without an image of its own', async () => {
    await up(47);
    await knex('datastore_versions').insert({
      id: 'w',
      datastore_id: 'ds',
      name: '8.0',
      active: 1,
      image_tags: 'trove',
    });
    await expect(down(46)).rejects.toThrow('datastore_versions.image_id is NULL');
    await up(47);
    await knex('datastore_versions').where({ id: 'w' }).delete();
    await down(46);
    expect(await columns(knex, 'datastore_versions')).not.toContain('image_tags');
    expect(await knex('datastore_versions').pluck('image_id')).toEqual(['image']);
  });

  test('48: several versions of one name', async () => {
    const twin = { id: 'w', datastore_id: 'ds', name: '5.6', image_id: 'image', active: 1 };
    await up(47);
    expect(await refused(knex('datastore_versions').insert(twin))).toBe(true);
    await up(48);
    await knex('datastore_versions').where({ id: 'v' }).update({ version: '5.6' });
    await knex('datastore_versions').insert({ ...twin, version: '5.6.2' });
    expect(await refused(knex('datastore_versions').insert({ ...twin, id: 'x', version: '5.6.2' }))).toBe(true);
    await knex('datastore_versions').where({ id: 'w' }).delete();
    await down(47);
    expect(await refused(knex('datastore_versions').insert(twin))).toBe(true);
  });

  test('100: policies, by who has a key already; what we sealed goes on the way down', async () => {
    await up(48);
    await knex('instances').where({ id: 'i2' }).update({ encrypted_key: KEY });
    await up(100);
    expect(await knex('instances').orderBy('id').pluck('rpc_policy')).toEqual([0, 1]);
    await knex('instances').where({ id: 'i1' }).update({ encrypted_key: 'v2.00000000.1.a.b', rpc_policy: 2 });
    await knex('instance_keys').insert({
      instance_id: 'i1',
      version: 1,
      state: 'active',
      sealed_key: 'a',
      uplink: 'b',
      kcv: 'c',
      policy: 2,
    });
    await expect(down(48)).rejects.toThrow('--drop-keys');
    await down(48, true);
    expect(await knex('instances').orderBy('id').pluck('encrypted_key')).toEqual([null, KEY]);
    expect(await knex.schema.hasTable('instance_keys')).toBe(false);
  });

  test('101 to 103: ours come and go, and leave the rows of Trove alone; the deployment has one name', async () => {
    await up(103);
    await knex('tasks').insert({
      id: 't',
      kind: 'k',
      instance_id: 'i1',
      project_id: 'p',
      params: '{"name":"é🙂"}',
      state: 'pending',
      deadline: 1,
      code_version: 1,
      created: 1,
      updated: 1,
    });
    expect(await knex('tasks').pluck('params')).toEqual(['{"name":"é🙂"}']);
    await knex('instances').where({ id: 'i1' }).update({ active_task_id: 't', fence: 7, addresses: '[]' });
    const deployment: { deployment_id: string }[] = await knex('deployment').select('deployment_id');
    expect(deployment.map((row) => row.deployment_id)).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)]);
    await syncCatalog(knex);
    expect(await knex('deployment').select('deployment_id')).toEqual(deployment);
    await down(100);
    for (const table of ['tasks', 'task_steps', 'resources', 'instance_reports', 'rpc_inbox', 'deployment'])
      expect(await knex.schema.hasTable(table), table).toBe(false);
    expect((await columns(knex, 'instances')).slice(23)).toEqual(['encrypted_key', 'access', 'rpc_policy']);
    expect(await names()).toEqual(['m2', 'm3']);
    expect(await knex('instances').where({ id: 'i2' }).pluck('slave_of_id')).toEqual(['i1']);
  });

  test('108: where servers are, and what runs them', async () => {
    await up(108);
    await knex('instances').where({ id: 'i1' }).update({ server_host: 'db1' });
    await knex('compute_hosts').insert({ name: 'db1', servers: 1, seen_at: 1 });
    expect(await knex('compute_hosts').first('total_ram', 'used_ram')).toEqual({ total_ram: null, used_ram: null });
    expect(await refused(knex('compute_hosts').insert({ name: 'db1', servers: 2, seen_at: 1 }))).toBe(true);
    await down(104);
    expect(await knex.schema.hasTable('compute_hosts')).toBe(false);
    expect(await columns(knex, 'instances')).not.toContain('server_host');
    expect(await names()).toEqual(['m2', 'm3']);
  });

  test('109: what tells a service that its keys are others', async () => {
    await up(109);
    await knex('key_checks').insert({ setting: 'inst_rpc_key_encr_key', sealed: 'x' });
    expect(await refused(knex('key_checks').insert({ setting: 'inst_rpc_key_encr_key', sealed: 'y' }))).toBe(true);
    await down(108);
    expect(await knex.schema.hasTable('key_checks')).toBe(false);
    expect(await names()).toEqual(['m2', 'm3']);
  });

  test('110: what was found before counts as never tried', async () => {
    await up(109);
    const found = { kind: 'unowned', subject: 'volume:v1', detail: 'its instance is deleted', since: 1 };
    await knex('reconcile_findings').insert(found);
    await up(110);
    expect(await knex('reconcile_findings').first('since', 'tries', 'tried_at')).toEqual({
      since: expect.anything(),
      tries: 0,
      tried_at: null,
    });
    await down(109);
    expect(await columns(knex, 'reconcile_findings')).not.toContain('tries');
    expect(await knex('reconcile_findings').pluck('subject')).toEqual(['volume:v1']);
    await knex('reconcile_findings').delete();
  });

  test('111: what is owed for a key', async () => {
    await up(111);
    const owed = { instance_id: 'i1', version: 2, what: 'password', since: 1 };
    await knex('keys_owed').insert([owed, { ...owed, what: 'rotation' }]);
    expect(await refused(knex('keys_owed').insert(owed))).toBe(true);
    await down(110);
    expect(await knex.schema.hasTable('keys_owed')).toBe(false);
    expect(await names()).toEqual(['m2', 'm3']);
  });

  test('112: tasks that have ended keep nothing secret; the others keep all', async () => {
    await up(111);
    for (const state of ['failed', 'waiting']) {
      const times = { deadline: 1, created: 1, updated: 1 };
      const task = { id: state, kind: 'k', instance_id: 'i1', project_id: 'p', state, code_version: 1, ...times };
      await knex('tasks').insert({ ...task, params: '{"users":"sealed","size":3}' });
      const step = { task_id: state, state: 'done', attempts: 0, started: 1 };
      await knex('task_steps').insert([
        { ...step, name: 'find_server', token: `${state}1`, output: '{"files":"sealed","id":"s"}' },
        { ...step, name: 'make_password', token: `${state}2`, output: '{"password":"sealed"}' },
        { ...step, name: 'wait', token: `${state}3`, output: 'null' },
      ]);
    }
    const odd = { id: 'odd', kind: 'k', instance_id: 'i1', project_id: 'p', state: 'done', code_version: 1 };
    const unreadable = String.raw`{"users":"sealed","zone":"\ud800"}`;
    await knex('tasks').insert({ ...odd, params: unreadable, deadline: 1, created: 1, updated: 1 });
    await up(112);
    expect((await knex('tasks').where({ id: 'odd' }).first('params')).params).not.toContain('sealed');
    const kept = async (id: string): Promise<unknown[]> => {
      const params: string[] = await knex('tasks').where({ id }).pluck('params');
      const outputs: string[] = await knex('task_steps').where({ task_id: id }).orderBy('name').pluck('output');
      return [...params, ...outputs].map((text): unknown => JSON.parse(text));
    };
    const none = [{ users: null, size: 3 }, { files: null, id: 's' }, { password: null }, null];
    const all = [{ users: 'sealed', size: 3 }, { files: 'sealed', id: 's' }, { password: 'sealed' }, null];
    expect([await kept('failed'), await kept('waiting')]).toEqual([none, all]);
    await down(111);
    expect([await kept('failed'), await kept('waiting')]).toEqual([none, all]);
  });
});

test('on SQLite a migration that dies leaves nothing of itself, and its references are watched again', async () => {
  const { knex, dispose } = await testCatalog('sqlite');
  const described = () =>
    knex('sqlite_master').whereNot('name', 'like', 'sqlite_%').orderBy(['type', 'name']).select('type', 'name', 'sql');
  const whole: unknown = await described();
  for (let n = 1, died = true; died; n += 7) {
    await downgradeCatalog(knex, { to: 0 });
    died = await diesAt(knex, n);
    await syncCatalog(knex);
    expect(await described(), `statement ${n}`).toEqual(whole);
    expect(
      await refused(
        knex('instance_faults').insert({
          id: 'f',
          instance_id: 'none',
          message: '',
          details: '',
          created: '',
          updated: '',
          deleted: 0,
        }),
      ),
    ).toBe(true);
  }
  await dispose();
});

async function diesAt(knex: Knex, n: number): Promise<boolean> {
  let count = 0;
  const onStatement = (): void => {
    count += 1;
    if (count === n) throw new Error('killed');
  };
  return syncCatalog(knex, { onStatement }).then(
    () => false,
    (error: unknown) => error instanceof Error && error.message === 'killed',
  );
}
