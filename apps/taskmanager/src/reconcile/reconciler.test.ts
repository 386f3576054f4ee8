import {
  approveFindings,
  checkInvariants,
  type InstanceRow,
  type ReconcileState,
  type ResourceRow,
  readReconcileState,
} from '@trove/catalog';
import type { TestCatalog } from '@trove/catalog/testing';
import { createMetrics, newUuid, silentLogger, TroveError } from '@trove/common';
import { TASK_STATUSES } from '@trove/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  booksOf,
  ended,
  faultOf,
  fileCreate,
  type House,
  instanceOf,
  openHouse,
  openTestCatalog,
} from '../../test/house.ts';
import type { ReconcileLimits } from './plan.ts';
import { createReconciler } from './reconciler.ts';

const HOUR_MICROS = 3_600_000_000;
const AT_ONCE: ReconcileLimits = { graceMs: 0, maxActions: 100, dryRun: false };
const STAYS = new AbortController().signal;

describe.each(['mysql', 'sqlite'] as const)('a reconciler on %s', (dialect) => {
  let catalog: TestCatalog;
  let house: House;
  let deploymentId: string;
  let owners = 0;

  beforeEach(async () => {
    catalog = await openTestCatalog(dialect);
    house = openHouse(catalog);
    deploymentId = (await catalog.knex('deployment').first('deployment_id')).deployment_id;
  });
  afterEach(async () => {
    await house.dispose();
    await catalog.dispose();
  });

  const reconciler = (limits: Partial<ReconcileLimits> = {}) =>
    createReconciler({
      ...{ catalog, compute: house.world, deploymentId: async () => deploymentId, everyMs: 0 },
      ...{ owner: `reconciler ${(owners += 1)}`, limits: { ...AT_ONCE, ...limits } },
      ...{ logger: silentLogger, metrics: createMetrics() },
    });
  const run = (limits: Partial<ReconcileLimits> = {}): Promise<void> => reconciler(limits)(STAYS);
  const kinds = (state: ReconcileState): string[] => state.findings.map((finding) => finding.kind).toSorted();
  const found = async (): Promise<string[]> => kinds(await readReconcileState(catalog.knex));
  /** A volume that carries the deployment's id; `row`: what the catalog says of it. */
  const volume = async (instanceId: string, row?: ResourceRow['state'], token = newUuid()): Promise<string> => {
    const request = { clientToken: token, deploymentId, instanceId, size: 1 };
    const { volumeId } = await house.world.createVolume(request, STAYS);
    if (row !== undefined) await resource(instanceId, { token, state: row, external_id: volumeId });
    return volumeId;
  };
  const resource = async (instance_id: string, changes: Partial<ResourceRow>): Promise<string> => {
    const token = changes.token ?? newUuid();
    await catalog.knex('resources').insert({ token, kind: 'volume', instance_id, state: 'intent', ...changes });
    return token;
  };
  const stateOf = async (token: string): Promise<string> =>
    (await catalog.knex<ResourceRow>('resources').where({ token }).first('state'))?.state ?? 'none';
  const deletedInstance = async (): Promise<string> => {
    const id = newUuid();
    await catalog.knex('instances').insert({ id, deleted: 1, tenant_id: house.project, rpc_policy: 0 });
    return id;
  };
  const change = async (id: string, columns: Partial<InstanceRow>): Promise<void> => {
    await catalog.knex('instances').where({ id }).update(columns);
  };
  /** An instance that was built, with a taskmanager that goes on working. */
  const built = async (): Promise<string> => {
    const { id, taskId } = await fileCreate(house);
    await house.taskmanager();
    expect((await ended(house, taskId)).state).toBe('done');
    return id;
  };
  /** Runs, and waits for the task that it has filed for this instance. */
  const settled = async (id: string): Promise<void> => {
    await run();
    const task = await catalog.knex('tasks').where({ instance_id: id, kind: 'reconcile_instance' }).first('id');
    expect((await ended(house, task.id)).state).toBe('done');
  };
  const invariants = async (): Promise<string[]> => {
    const report = await checkInvariants({
      catalog,
      things: { read: () => house.world.listOwned(deploymentId) },
      flavors: { read: () => house.world.flavors() },
      broker: { notChecked: 'in memory' },
      rings: house.rings,
      logs: { files: [], secrets: [] },
      effects: { notChecked: 'not counted' },
      settleMs: 0,
    });
    return report.results.flatMap((result) => result.findings.map((finding) => finding.what));
  };

  it('leaves alone what is right, at work, adopted, or not of this deployment', async () => {
    const id = await built();
    const adopted = { compute_instance_id: newUuid(), volume_id: newUuid(), server_status: null, task_id: 1 };
    await catalog.knex('instances').insert({ id: newUuid(), deleted: 0, rpc_policy: 0, tenant_id: 'old', ...adopted });
    house.world.guestFaults.deaf = true;
    const building = await fileCreate(house);
    const [volumeId] = house.world.volumes.keys();
    await house.world.snapshotVolume(volumeId ?? '', await resource(id, { kind: 'snapshot', state: 'live' }), STAYS);
    const stranger = { clientToken: newUuid(), deploymentId: newUuid(), instanceId: newUuid(), size: 1 };
    await house.world.createVolume(stranger, STAYS);
    await expect.poll(() => house.world.servers.size, { timeout: 20_000 }).toBe(2);
    const before = [await house.world.listOwned(deploymentId), await house.world.listOwned(stranger.deploymentId)];
    await run();
    await run();
    expect(await found()).toEqual([]);
    expect([await house.world.listOwned(deploymentId), await house.world.listOwned(stranger.deploymentId)]).toEqual(
      before,
    );
    expect((await catalog.knex('tasks').where({ id: building.taskId }).first('state')).state).toMatch(
      /running|waiting/,
    );
    expect(await catalog.knex('tasks').where({ kind: 'reconcile_instance' })).toEqual([]);
  });

  it("removes what a zombie made after its task's undo, beside an instance and after one", async () => {
    const id = await built();
    const [own] = house.world.volumes.keys();
    const extra = await volume(id, 'gone');
    const left = await volume(await deletedInstance(), 'gone');
    const orphan = await volume(newUuid(), 'live');
    await settled(id);
    expect([...house.world.volumes.keys()]).toEqual([own]);
    expect([extra, left, orphan].filter((each) => house.world.volumes.has(each))).toEqual([]);
    expect(await invariants()).toEqual([]);
  });

  it('removes what a build past both its deadlines has left', async () => {
    const error = new TroveError('COMPUTE_ERROR', 'no');
    house.world.scripted.set('createServer', { times: 1, error });
    house.world.scripted.set('deleteVolume', { times: 1, error });
    const { id, taskId } = await fileCreate(house);
    await house.taskmanager();
    expect(await ended(house, taskId)).toMatchObject({
      state: 'failed',
      error: expect.stringContaining('create_volume'),
    });
    expect(house.world.volumes.size).toBe(1);
    await settled(id);
    expect(house.world.volumes.size).toBe(0);
    expect(await instanceOf(house, id)).toMatchObject({ volume_id: null, task_id: 81, active_task_id: null });
    expect(await faultOf(house, id)).toBe('no');
    await run();
    expect(await found()).toEqual([]);
  });

  it('settles rows that their task never did: live where the instance names it, else removed, else gone', async () => {
    const id = await built();
    await catalog.knex('resources').where({ instance_id: id, kind: 'volume' }).update({ state: 'intent' });
    const [unwanted, wanted] = [
      newUuid(),
      (await catalog.knex('resources').where({ kind: 'volume' }).first('token')).token,
    ];
    await volume(id, 'deleting', unwanted);
    const [never, dead] = [await resource(id, {}), await resource(await deletedInstance(), { state: 'deleting' })];
    await settled(id);
    expect(await Promise.all([wanted, unwanted, never, dead].map(stateOf))).toEqual(['live', 'gone', 'gone', 'gone']);
    expect(house.world.volumes.size).toBe(1);
    await run();
    expect(await found()).toEqual([]);
  });

  it.each([
    ['REBOOTING', { task_id: 1, server_status: 'ACTIVE' }, /^What was being done \(REBOOTING\)/],
    ['UPGRADING', { task_id: 1, server_status: 'ACTIVE' }, /^What was being done \(UPGRADING\)/],
    ['BUILDING', { task_id: 81, server_status: null }, /^The instance was not built/],
    ['DELETING', { task_id: 2, server_status: 'ERROR' }, /^The instance was not deleted/],
  ] as const)('ends %s that nobody is at work on, and says so to the tenant', async (name, shown, fault) => {
    const id = await built();
    await change(id, { task_id: TASK_STATUSES[name].code, active_task_id: newUuid() });
    await run();
    const task = await catalog.knex('tasks').where({ kind: 'reconcile_instance' }).first('id');
    expect((await ended(house, task.id)).state).toBe('done');
    expect(await instanceOf(house, id)).toMatchObject({ ...shown, active_task_id: null });
    expect(await faultOf(house, id)).toMatch(fault);
    expect(house.world.servers.size).toBe(1);
    expect(await invariants()).toEqual([]);
  });

  it('corrects quota under the lock of the project, and erases keys of instances that are gone', async () => {
    await built();
    const other = await fileCreate(house);
    expect((await ended(house, other.taskId)).state).toBe('done');
    await catalog.knex('quota_usages').where({ tenant_id: house.project }).update({ in_use: 99, reserved: 7 });
    await change(other.id, { deleted: 1 });
    await run();
    expect(await booksOf(house)).toEqual([3, 0]);
    expect(await catalog.knex('instance_keys').where({ instance_id: other.id }).select('state', 'sealed_key')).toEqual([
      { state: 'retired', sealed_key: '' },
    ]);
    expect(house.world.servers.size, 'and its server goes').toBe(1);
    await run();
    expect(await found()).toEqual([]);
  });

  it('waits for the grace time, and in a young catalog repairs but removes nothing', async () => {
    const left = await volume(await deletedInstance(), 'gone');
    const id = await built();
    await catalog.knex('quota_usages').where({ tenant_id: house.project }).update({ in_use: 99 });
    const patient = reconciler({ graceMs: 1_800_000 });
    await patient(STAYS);
    expect(await found()).toEqual(['quota', 'quota', 'quota', 'unowned']);
    expect((await booksOf(house))[0]).toBe(99);
    await catalog.knex('reconcile_findings').decrement('since', HOUR_MICROS);
    await patient(STAYS);
    expect((await booksOf(house))[0]).toBe(3);
    expect(house.world.volumes.has(left), 'the catalog is younger than the grace time').toBe(true);
    await catalog.knex('deployment').decrement('created', HOUR_MICROS);
    await patient(STAYS);
    expect(house.world.volumes.has(left)).toBe(false);
    expect(await instanceOf(house, id)).toMatchObject({ task_id: 1 });
  });

  it('removes nothing while there is what the catalog has never heard of, until an operator has looked', async () => {
    const [left, unheard] = [await volume(await deletedInstance(), 'gone'), await volume(newUuid())];
    await run();
    await run();
    expect(await found()).toEqual(['unheard', 'unowned']);
    expect([...house.world.volumes.keys()].toSorted()).toEqual([left, unheard].toSorted());
    const seen = await readReconcileState(catalog.knex);
    const unseen = await volume(newUuid());
    expect(await approveFindings(catalog, seen.findings)).toBe(2);
    await run();
    expect([...house.world.volumes.keys()], 'what nobody has looked at stays').toEqual([unseen]);
  });

  it('removes nothing once it has seen the catalog go back, until an operator has looked', async () => {
    const left = await volume(await deletedInstance(), 'gone');
    const watching = reconciler({ maxActions: 1, dryRun: true });
    await watching(STAYS);
    await watching(STAYS);
    await catalog.knex('reconciler').update({ run: 0 });
    await watching(STAYS);
    await run();
    expect(house.world.volumes.has(left)).toBe(true);
    const { heldSince, findings } = await readReconcileState(catalog.knex);
    expect(heldSince).not.toBeNull();
    await approveFindings(catalog, findings);
    await run();
    expect(house.world.volumes.has(left)).toBe(false);
  });

  it('acts on nothing in a dry run but what was approved, and on no more at once than it may', async () => {
    const gone = await deletedInstance();
    for (const state of ['gone', 'gone', 'deleting'] as const) await volume(gone, state);
    await run({ dryRun: true });
    expect(house.world.volumes.size).toBe(3);
    const { findings } = await readReconcileState(catalog.knex);
    await approveFindings(catalog, findings.slice(0, 1));
    await run({ dryRun: true });
    expect(house.world.volumes.size).toBe(2);
    await run({ maxActions: 1 });
    expect(house.world.volumes.size).toBe(1);
  });

  it('is one at a time, however many there are, and one whose lease is lost does not act', async () => {
    const [one, other] = [await volume(await deletedInstance(), 'gone'), await volume(await deletedInstance(), 'gone')];
    const stopped = Promise.withResolvers<void>();
    const inside = Promise.withResolvers<void>();
    const { deleteVolume } = house.world;
    const deleted: string[] = [];
    house.world.deleteVolume = async (id, signal) => {
      deleted.push(id);
      inside.resolve();
      if (deleted.length === 1) await stopped.promise;
      await deleteVolume(id, signal);
    };
    const zombie = run();
    await inside.promise;
    await Promise.all([run(), run(), run()]);
    expect(deleted, 'the lease is taken').toHaveLength(1);
    await catalog.knex('reconciler').update({ lease_until: 1 });
    await Promise.all([run(), run(), run()]);
    expect(new Set(deleted)).toEqual(new Set([one, other]));
    expect(house.world.volumes.size).toBe(0);
    const before = deleted.length;
    stopped.resolve();
    await zombie;
    expect(deleted, 'the zombie comes back and stops').toHaveLength(before);
  });

  it('a taskmanager that dies while it settles an instance leaves it to the next', async () => {
    const { id, taskId } = await fileCreate(house);
    let deaths = 0;
    await house.taskmanager({
      faults: ({ kind, at }) => {
        if (kind !== 'reconcile_instance' || at !== 'after_run' || deaths > 0) return;
        deaths += 1;
        throw new Error('killed');
      },
    });
    expect((await ended(house, taskId)).state).toBe('done');
    const extra = await volume(id, 'gone');
    await run();
    await expect.poll(() => deaths, { timeout: 20_000 }).toBe(1);
    expect(house.world.volumes.has(extra)).toBe(false);
    await catalog.knex('tasks').where({ kind: 'reconcile_instance' }).update({ lease_until: 1 });
    const task = await catalog.knex('tasks').where({ kind: 'reconcile_instance' }).first('id');
    expect((await ended(house, task.id)).state).toBe('done');
    expect((await instanceOf(house, id)).active_task_id).toBeNull();
  });
});
