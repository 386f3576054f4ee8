import { newUuid, silentLogger, TroveError } from '@trove/common';
import { TASK_STATUSES } from '@trove/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { booksOf, ended, faultOf, file, fileCreate, instanceOf } from '../../test/house.ts';
import { ReconciledHouse, STAYS } from '../../test/reconciled_house.ts';
import { observeServers } from '../rounds/observe_servers.ts';

// Each test has a database of its own on a server that others use too.
vi.setConfig({ testTimeout: 60_000 });

describe.each(['mysql', 'sqlite'] as const)('a reconciler on %s', (dialect) => {
  let here: ReconciledHouse;

  beforeEach(async () => {
    here = await ReconciledHouse.open(dialect);
  });
  afterEach(() => here.dispose());

  it('leaves alone what is right, at work, adopted, or not of this deployment', async () => {
    const id = await here.built();
    const adopted = { compute_instance_id: newUuid(), volume_id: newUuid(), server_status: null, task_id: 1 };
    await here.catalog
      .knex('instances')
      .insert({ id: newUuid(), deleted: 0, rpc_policy: 0, tenant_id: 'old', ...adopted });
    const charged = { tenant_id: 'old', resource: 'ram', in_use: 777, reserved: 0 };
    await here.catalog.knex('quota_usages').insert({ id: newUuid(), ...charged });
    here.house.world.guestFaults.deaf = true;
    const building = await fileCreate(here.house);
    const [volumeId] = here.house.world.volumes.keys();
    await here.house.world.snapshotVolume(
      volumeId ?? '',
      await here.resource(id, { kind: 'snapshot', state: 'live' }),
      STAYS,
    );
    const stranger = { clientToken: newUuid(), deploymentId: newUuid(), instanceId: newUuid(), size: 1 };
    await here.house.world.createVolume(stranger, STAYS);
    await expect.poll(() => here.house.world.servers.size, { timeout: 20_000 }).toBe(2);
    const before = [
      await here.house.world.listOwned(here.deploymentId),
      await here.house.world.listOwned(stranger.deploymentId),
    ];
    await here.run();
    await here.run();
    expect(await here.found()).toEqual([]);
    expect([
      await here.house.world.listOwned(here.deploymentId),
      await here.house.world.listOwned(stranger.deploymentId),
    ]).toEqual(before);
    expect((await here.catalog.knex('tasks').where({ id: building.taskId }).first('state')).state).toMatch(
      /running|waiting/,
    );
    expect(await here.catalog.knex('tasks').where({ kind: 'reconcile_instance' })).toEqual([]);
    expect(await here.catalog.knex('quota_usages').where(charged), 'of flavors that nobody knows here').toHaveLength(1);
  });

  it("removes what a zombie made after its task's undo, beside an instance and after one", async () => {
    const id = await here.built();
    const [own] = here.volumes;
    const extra = await here.volume(id, 'gone');
    const left = await here.volume(await here.deletedInstance(), 'gone');
    const orphan = await here.volume(newUuid(), 'live');
    await here.settled(id);
    expect(here.volumes).toEqual(new Set([own]));
    expect([extra, left, orphan].filter((each) => here.volumes.has(each))).toEqual([]);
    expect(await here.invariants()).toEqual([]);
  });

  it('removes the second of two things with one token, beside an instance that has the first', async () => {
    const id = await here.built();
    const { volumes } = here.house.world;
    const [own] = volumes.values();
    if (own === undefined) throw new Error('built without a volume');
    volumes.set('second', { ...structuredClone(own), id: 'second' });
    expect(await here.invariants()).toEqual([expect.stringMatching(/volume second/)]);
    await here.settled(id);
    expect(here.volumes).toEqual(new Set([own.id]));
    expect(await here.invariants()).toEqual([]);
  });

  it('removes what compute made after it had been given up on', async () => {
    const { world } = here.house;
    const { createVolume } = world;
    const late: (() => Promise<unknown>)[] = [];
    world.createVolume = async (request, signal) => {
      late.push(() => createVolume(request, signal));
      await file(here.house, 'delete_instance', request.instanceId);
      throw new TroveError('COMPUTE_ERROR', 'no answer', { retryable: true });
    };
    const { id } = await fileCreate(here.house);
    await here.house.taskmanager();
    await expect.poll(async () => (await instanceOf(here.house, id)).deleted, { timeout: 20_000 }).toBe(1);
    for (const make of late) await make();
    expect(here.volumes.size).toBe(1);
    await here.run();
    expect(here.volumes.size).toBe(0);
    await here.run();
    expect(await here.found()).toEqual([]);
  });

  it('removes what a build past both its deadlines has left', async () => {
    const error = new TroveError('COMPUTE_ERROR', 'no');
    here.house.world.scripted.set('createServer', { times: 1, error });
    here.house.world.scripted.set('deleteVolume', { times: 1, error });
    const { id, taskId } = await fileCreate(here.house);
    await here.house.taskmanager();
    expect(await ended(here.house, taskId)).toMatchObject({
      state: 'failed',
      error: expect.stringContaining('create_volume'),
    });
    expect(here.volumes.size).toBe(1);
    await here.settled(id);
    expect(here.volumes.size).toBe(0);
    expect(await instanceOf(here.house, id)).toMatchObject({ volume_id: null, task_id: 81, active_task_id: null });
    expect(await faultOf(here.house, id)).toBe('no');
    await here.run();
    expect(await here.found()).toEqual([]);
  });

  it('settles rows that their task never did: live where the instance names it, else removed, else gone', async () => {
    const id = await here.built();
    await here.catalog.knex('resources').where({ instance_id: id, kind: 'volume' }).update({ state: 'intent' });
    const [unwanted, wanted] = [
      newUuid(),
      (await here.catalog.knex('resources').where({ kind: 'volume' }).first('token')).token,
    ];
    await here.volume(id, 'deleting', unwanted);
    const [never, dead] = [
      await here.resource(id, {}),
      await here.resource(await here.deletedInstance(), { state: 'deleting' }),
    ];
    await here.settled(id);
    expect(await Promise.all([wanted, unwanted, never, dead].map((token) => here.stateOf(token)))).toEqual([
      'live',
      'gone',
      'gone',
      'gone',
    ]);
    expect(here.volumes.size).toBe(1);
    await here.run();
    expect(await here.found()).toEqual([]);
  });

  it('corrects quota under the lock of the project, and erases keys of instances that are gone', async () => {
    await here.built();
    const other = await fileCreate(here.house);
    expect((await ended(here.house, other.taskId)).state).toBe('done');
    await here.catalog
      .knex('quota_usages')
      .where({ tenant_id: here.house.project })
      .update({ in_use: 99, reserved: 7 });
    await here.change(other.id, { deleted: 1 });
    await here.run();
    expect(await booksOf(here.house)).toEqual([3, 0]);
    const keys = await here.catalog
      .knex('instance_keys')
      .where({ instance_id: other.id })
      .select('state', 'sealed_key');
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.filter(({ state, sealed_key: sealed }) => state !== 'retired' || sealed !== '')).toEqual([]);
    expect(here.house.world.servers.size, 'and its server goes').toBe(1);
    await here.run();
    expect(await here.found()).toEqual([]);
  });

  it('a taskmanager that dies while it settles an instance leaves it to the next', async () => {
    const { id, taskId } = await fileCreate(here.house);
    let deaths = 0;
    await here.house.taskmanager({
      faults: ({ kind, at }) => {
        if (kind !== 'reconcile_instance' || at !== 'after_run' || deaths > 0) return;
        deaths += 1;
        throw new Error('killed');
      },
    });
    expect((await ended(here.house, taskId)).state).toBe('done');
    const extra = await here.volume(id, 'gone');
    await here.run();
    await expect.poll(() => deaths, { timeout: 20_000 }).toBe(1);
    expect(here.volumes.has(extra)).toBe(false);
    await here.catalog.knex('tasks').where({ kind: 'reconcile_instance' }).update({ lease_until: 1 });
    const task = await here.catalog.knex('tasks').where({ kind: 'reconcile_instance' }).first('id');
    expect((await ended(here.house, task.id)).state).toBe('done');
    expect((await instanceOf(here.house, id)).active_task_id).toBeNull();
  });

  it.each([
    ['REBOOTING', { task_id: 1, server_status: 'ACTIVE' }, /^What was being done \(REBOOTING\)/],
    ['UPGRADING', { task_id: 1, server_status: 'ACTIVE' }, /^What was being done \(UPGRADING\)/],
    ['BUILDING', { task_id: 81, server_status: null }, /^The instance was not built/],
    ['DELETING', { task_id: 2, server_status: 'ERROR' }, /^The instance was not deleted/],
  ] as const)('ends %s that nobody is at work on, and says so to the tenant', async (name, shown, fault) => {
    const id = await here.built();
    await here.change(id, { task_id: TASK_STATUSES[name].code, active_task_id: newUuid() });
    await here.run();
    const task = await here.catalog.knex('tasks').where({ kind: 'reconcile_instance' }).first('id');
    expect((await ended(here.house, task.id)).state).toBe('done');
    expect(await instanceOf(here.house, id)).toMatchObject({ ...shown, active_task_id: null });
    expect(await faultOf(here.house, id)).toMatch(fault);
    expect(here.house.world.servers.size).toBe(1);
    await observeServers({ catalog: here.catalog, compute: here.house.world, logger: silentLogger }, STAYS);
    await here.run();
    expect(await here.found(), 'and it stays ended').toEqual([]);
    expect(await here.invariants()).toEqual([]);
  });

  it.each(['has ended', 'was never there'])('gives the slot of a task that %s to the delete behind it', async (how) => {
    const { id, taskId } = await fileCreate(here.house);
    const deletion = await file(here.house, 'delete_instance', id);
    const before = await here.catalog.knex('tasks').where({ id: deletion }).first('deadline', 'created');
    expect(await instanceOf(here.house, id), 'it waits').toMatchObject({ active_task_id: taskId });
    if (how === 'has ended') await here.catalog.knex('tasks').where({ id: taskId }).update({ state: 'failed' });
    else await here.catalog.knex('tasks').where({ id: taskId }).delete();
    await here.catalog
      .knex('tasks')
      .where({ id: deletion })
      .update({ created: 1, deadline: 1 + Number(before.deadline) - Number(before.created) });
    await here.run();
    expect(await instanceOf(here.house, id)).toMatchObject({ active_task_id: deletion });
    const { deadline } = await here.catalog.knex('tasks').where({ id: deletion }).first('deadline');
    expect(Number(deadline), 'its time begins now').toBeGreaterThanOrEqual(Number(before.deadline));
    await here.house.taskmanager();
    expect((await ended(here.house, deletion)).state).toBe('done');
    expect(await instanceOf(here.house, id)).toMatchObject({ deleted: 1, active_task_id: null });
  });
});
