import { newUuid } from '@trove/common';
import { TASK_STATUSES } from '@trove/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FLAVOR, Planted, PROJECT, RINGS } from '../../test/planted.ts';
import { checkInvariants } from '../checks/check_invariants.ts';
import { withTransaction } from '../transaction.ts';
import { afterRestore } from './after_restore.ts';
import { reserveGrowth, reserveQuota } from './reserve_quota.ts';

describe.each(['mysql', 'sqlite'] as const)('a restored catalog on %s', (dialect) => {
  let planted: Planted;
  beforeAll(async () => {
    planted = await Planted.open(dialect);
  });
  afterAll(() => planted.catalog.dispose());
  beforeEach(() => planted.clear());

  const findings = async (): Promise<readonly string[]> => {
    const { results } = await checkInvariants({
      catalog: planted.catalog,
      things: { read: async () => planted.things },
      flavors: { read: async () => [FLAVOR] },
      broker: { read: async () => planted.broker },
      rings: RINGS,
      logs: { files: [], secrets: [] },
      effects: { read: async () => [] },
      settleMs: 0,
    });
    return results.flatMap((result) => result.findings.map(({ what }) => what));
  };
  const quota = {
    projectId: PROJECT,
    defaults: {},
    ramOf: () => FLAVOR.ram,
  };

  it('has no reservation of what was under way, and says to each tenant that it ended', async () => {
    const { id: growing } = await planted.instance();
    const { id: building } = await planted.instance({ task_id: TASK_STATUSES.NONE.code });
    await withTransaction(planted.catalog, async (tx) => {
      await reserveGrowth(tx, { ...quota, instanceId: growing, amounts: { volumes: 2 } });
    });
    const books = () =>
      planted.catalog.knex('quota_usages').orderBy('resource').select('resource', 'in_use', 'reserved');
    const resize = await planted.task(growing, { kind: 'resize_volume' });
    const removal = await planted.task(growing, { kind: 'delete_instance', state: 'pending', after_task: resize });
    await planted.slot(growing, resize);
    await planted.slot(building, await planted.task(building, { kind: 'create_instance' }));
    expect(await books()).toContainEqual({ resource: 'volumes', in_use: 6, reserved: 2 });

    expect(await afterRestore(planted.catalog)).toBe(3);
    expect(await books()).toContainEqual({ resource: 'volumes', in_use: 6, reserved: 0 });
    expect(await findings()).toEqual([]);
    const faults = await planted.catalog.knex('instance_faults').where({ deleted: 0 }).select('instance_id', 'message');
    expect(new Set(faults.map((row) => row.instance_id))).toEqual(new Set([growing, building]));
    expect(faults[0].message).toContain('restored from a backup');
    expect(await planted.catalog.knex('tasks').where({ id: removal }).first('state')).toEqual({ state: 'failed' });
  });

  it('charges a build that was under way for its instance as for any other', async () => {
    const id = newUuid();
    const amounts = { instances: 1, ram: FLAVOR.ram, volumes: 3 };
    await withTransaction(planted.catalog, (tx) => reserveQuota(tx, { ...quota, instanceId: id, amounts }));
    await planted.instance({ id });
    await planted.slot(id, await planted.task(id, { kind: 'create_instance' }));
    await afterRestore(planted.catalog);
    expect(await planted.catalog.knex('quota_usages').pluck('reserved')).toEqual([0, 0, 0, 0]);
    expect(await findings()).toEqual([]);
  });

  it('holds nobody to the keys of an upgrade that was under way, and keeps what a rotation has agreed on', async () => {
    const { knex } = planted.catalog;
    const [upgraded, rotated] = [await planted.instance(), await planted.instance()].map(({ id }) => id);
    const pending = async (instance_id: string | undefined, version: number, more: object = {}): Promise<void> => {
      const row = await knex('instance_keys').where({ instance_id }).first();
      await knex('instance_keys').insert({ ...row, version, state: 'pending', ...more });
    };
    for (const id of [upgraded, rotated]) await planted.key(id ?? '');
    const { version } = await knex('instance_keys').where({ instance_id: upgraded }).first('version');
    await pending(upgraded, version + 1, { exclusive_since: 1, bootstrap_until: 2 });
    await pending(upgraded, version + 2, { exclusive_since: null, bootstrap_until: null });
    await pending(rotated, version + 1);
    await afterRestore(planted.catalog);
    const states = (id: string | undefined) =>
      knex('instance_keys').where({ instance_id: id }).orderBy('version').pluck('state');
    expect(await states(upgraded)).toEqual(['active', 'retired', 'retired']);
    expect(await states(rotated)).toEqual(['active', 'pending']);
  });

  it('leaves nothing secret in the tasks that it ends', async () => {
    const { knex } = planted.catalog;
    const { id } = await planted.instance();
    const params = JSON.stringify({ users: 'sealed', image_id: 'image' });
    const taskId = await planted.task(id, { kind: 'create_instance', params });
    for (const [name, output] of Object.entries({ make_password: { password: 'sealed' }, create_server: { id: 's' } }))
      await knex('task_steps').insert({
        ...{ task_id: taskId, name, state: 'done', token: name, output: JSON.stringify(output), started: 1 },
      });
    await afterRestore(planted.catalog);
    const task = await knex('tasks').where({ id: taskId }).first('params');
    expect(JSON.parse(task.params)).toEqual({ users: null, image_id: 'image' });
    const outputs: string[] = await knex('task_steps').where({ task_id: taskId }).orderBy('name').pluck('output');
    expect(outputs.map((output) => JSON.parse(output))).toEqual([{ id: 's' }, { password: null }]);
  });
});

it('what is accepted while a catalog is made fit ends with the rest, or begins once it is', async () => {
  const planted = await Planted.open('mysql');
  const { knex } = planted.catalog;
  const [{ id: busy }, { id: born }] = [await planted.instance(), { id: newUuid() }];
  const holder = await planted.task(busy);
  await planted.slot(busy, holder);
  // A delete has locked its instance's row, and comes before; a create commits in between, and comes after.
  const before = await knex.transaction();
  await before('instances').where({ id: busy }).forUpdate().first('id');
  const removal = await planted.task(busy, { kind: 'delete_instance', state: 'pending', after_task: holder });
  const faults = await knex.transaction();
  await faults('reconciler').forUpdate().first('id');
  const ended = afterRestore(planted.catalog);
  await before.commit();
  await expect
    .poll(() => knex('instances').where({ id: busy }).forUpdate().skipLocked().select('id'), { timeout: 10_000 })
    .toEqual([]);
  await planted.instance({ id: born });
  const build = await planted.task(born, { kind: 'create_instance', state: 'pending' });
  await planted.slot(born, build);
  await faults.commit();
  expect(await ended).toBe(2);
  const rows = await knex('tasks').whereIn('id', [holder, removal, build]).select('id', 'state');
  expect(Object.fromEntries(rows.map(({ id, state }) => [id, state]))).toEqual({
    ...{ [holder]: 'failed', [removal]: 'failed', [build]: 'pending' },
  });
  expect((await knex('instances').where({ id: busy }).first('active_task_id')).active_task_id).toBeNull();
  expect((await knex('instances').where({ id: born }).first('active_task_id')).active_task_id).toBe(build);
  await planted.catalog.dispose();
});
