import type { InstanceKeyRow, ResourceRow, ServiceStatusRow, TaskStepRow } from '@trove/catalog';
import { readInstanceKey } from '@trove/catalog';
import type { TestCatalog } from '@trove/catalog/testing';
import { TroveError } from '@trove/common';
import { TASK_STATUSES } from '@trove/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  booksOf,
  ended,
  faultOf,
  file,
  fileCreate,
  type House,
  instanceOf,
  openHouse,
  openTestCatalog,
  UPGRADE,
} from '../../test/house.ts';
import { GUEST_INFO_FILE } from './shared/guest_files.ts';

const permanent = (message: string): { times: number; error: Error } => ({
  times: 1,
  error: new TroveError('COMPUTE_ERROR', message),
});

describe.each(['mysql', 'sqlite'] as const)('tasks on %s', (dialect) => {
  let house: House;
  let catalog: TestCatalog;
  beforeAll(async () => {
    catalog = await openTestCatalog(dialect);
  });
  afterEach(() => house.dispose());
  afterAll(() => catalog.dispose());

  async function created(secure: boolean): Promise<string> {
    const { id, taskId } = await fileCreate(house);
    const manager = await house.taskmanager({ secure });
    expect((await ended(house, taskId)).state).toBe('done');
    await manager.close();
    return id;
  }

  function guestInfo(): string {
    const [server] = house.world.servers.values();
    return server?.files[GUEST_INFO_FILE] ?? '';
  }

  async function liveResources(id: string): Promise<string[]> {
    const rows = await house.catalog
      .knex<ResourceRow>('resources')
      .where({ instance_id: id })
      .whereNot({ state: 'gone' })
      .select('kind');
    return rows.map((row) => row.kind).toSorted();
  }

  test('a create with the switch on ends ACTIVE, with the key of the catalog in the file and nothing secret left in the task', async () => {
    house = openHouse(catalog);
    const id = await created(true);
    const row = await instanceOf(house, id);
    expect(row).toMatchObject({ task_id: 1, server_status: 'ACTIVE', rpc_policy: 2, active_task_id: null });
    expect(row.compute_instance_id).not.toBeNull();
    expect(JSON.parse(row.addresses ?? '[]')).toEqual([{ address: '127.64.0.9', type: 'private' }]);
    const key = await readInstanceKey(house.catalog.knex, house.rings, id, 'active');
    expect(guestInfo()).toContain(`instance_rpc_encr_key=${key?.instanceKey.reveal()}\n`);
    expect(row.encrypted_key).not.toContain(key?.instanceKey.reveal());
    expect([...house.world.volumes.values()][0]).toMatchObject({ prepared: true, data: 'u1:s3cret' });
    expect(house.world.calls).toEqual(['sealed prepare']);
    const task = await house.catalog.knex('tasks').where({ instance_id: id }).first('params');
    expect(JSON.parse(task.params).users).toBeNull();
    expect([await liveResources(id), await booksOf(house)]).toEqual([
      ['broker_account', 'queue', 'server', 'volume'],
      [3, 0],
    ]);
  });

  test('a create with the switch off makes no key, speaks in clear and waits for the heartbeat', async () => {
    house = openHouse(catalog);
    const id = await created(false);
    expect(await instanceOf(house, id)).toMatchObject({
      task_id: 1,
      server_status: 'ACTIVE',
      rpc_policy: 0,
      encrypted_key: null,
    });
    expect(guestInfo()).not.toContain('encr_key');
    expect(house.world.calls).toEqual(['clear prepare']);
  });

  test.each([
    ['createVolume', 'BUILDING_ERROR_VOLUME'],
    ['createServer', 'BUILDING_ERROR_SERVER'],
  ] as const)('a %s that fails for good takes everything back and says why on the instance', async (call, status) => {
    house = openHouse(catalog);
    house.world.scripted.set(call, permanent('no space left'));
    const { id, taskId } = await fileCreate(house);
    await house.taskmanager();
    expect((await ended(house, taskId)).state).toBe('failed');
    expect(await instanceOf(house, id)).toMatchObject({
      task_id: TASK_STATUSES[status].code,
      encrypted_key: null,
      compute_instance_id: null,
    });
    expect([
      await faultOf(house, id),
      await liveResources(id),
      house.world.servers.size,
      house.world.volumes.size,
    ]).toEqual(['no space left', [], 0, 0]);
  });

  test('a guest that fails to prepare is a guest agent error with the text of the guest', async () => {
    house = openHouse(catalog);
    house.world.guestFaults.fail.set('prepare', 'initdb failed');
    const { id, taskId } = await fileCreate(house);
    await house.taskmanager();
    expect((await ended(house, taskId)).state).toBe('failed');
    expect(await instanceOf(house, id)).toMatchObject({ task_id: TASK_STATUSES.BUILDING_ERROR_TIMEOUT_GA.code });
    expect([await faultOf(house, id), house.world.servers.size]).toEqual(['initdb failed', 0]);
  });

  test('a delete takes away guest, key, server, volume and quota, and marks the row as Trove does', async () => {
    house = openHouse(catalog);
    const id = await created(true);
    await house.taskmanager();
    expect((await ended(house, await file(house, 'delete_instance', id))).state).toBe('done');
    const row = await instanceOf(house, id);
    expect(row).toMatchObject({
      deleted: 1,
      task_id: 1,
      encrypted_key: null,
      datastore_version_id: null,
      active_task_id: null,
    });
    expect(row.deleted_at).not.toBeNull();
    expect([await liveResources(id), house.world.servers.size, house.world.volumes.size, await booksOf(house)]).toEqual(
      [[], 0, 0, [0, 0]],
    );
    const keys = await house.catalog
      .knex<InstanceKeyRow>('instance_keys')
      .where({ instance_id: id })
      .select('state', 'sealed_key');
    expect(keys).toEqual(Array(2).fill({ state: 'retired', sealed_key: '' }));
    const status = await house.catalog
      .knex<ServiceStatusRow>('service_statuses')
      .where({ instance_id: id })
      .first('status_description');
    expect(status?.status_description).toBe('deleted');
  });

  test('a delete while the build waits cancels it, and both leave nothing', async () => {
    house = openHouse(catalog);
    house.world.guestFaults.deaf = true;
    const { id, taskId } = await fileCreate(house);
    await house.taskmanager();
    while (house.world.servers.size === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const deleteId = await file(house, 'delete_instance', id);
    expect((await ended(house, taskId)).state).toBe('cancelled');
    expect((await ended(house, deleteId)).state).toBe('done');
    expect(await instanceOf(house, id)).toMatchObject({ deleted: 1 });
    expect([await liveResources(id), house.world.servers.size, await booksOf(house)]).toEqual([[], 0, [0, 0]]);
  });

  test('a delete of a failed build, and of an instance whose server is gone, ends well', async () => {
    house = openHouse(catalog);
    house.world.scripted.set('createServer', permanent('no host'));
    const { id, taskId } = await fileCreate(house);
    await house.taskmanager();
    await ended(house, taskId);
    expect((await ended(house, await file(house, 'delete_instance', id))).state).toBe('done');
    const other = await created(true);
    for (const server of house.world.servers.keys())
      await house.world.deleteServer(server, new AbortController().signal);
    await house.taskmanager();
    expect((await ended(house, await file(house, 'delete_instance', other))).state).toBe('done');
  });

  test('a delete that failed when the server was gone already is asked for again, and ends well', async () => {
    house = openHouse(catalog);
    const id = await created(true);
    house.world.scripted.set('deleteVolume', { times: 100, error: new TroveError('COMPUTE_ERROR', 'disk is gone') });
    await house.taskmanager();
    expect((await ended(house, await file(house, 'delete_instance', id))).state).toBe('failed');
    expect([house.world.servers.size, house.world.volumes.size]).toEqual([0, 1]);
    house.world.scripted.delete('deleteVolume');
    expect((await ended(house, await file(house, 'delete_instance', id))).state).toBe('done');
    expect([house.world.volumes.size, await liveResources(id), await booksOf(house)]).toEqual([0, [], [0, 0]]);
  });

  test('a server that neither driver nor resources know is not touched', async () => {
    house = openHouse(catalog);
    const { id, taskId } = await fileCreate(house);
    await house.catalog.knex('tasks').where({ id: taskId }).del();
    await house.catalog
      .knex('instances')
      .where({ id })
      .update({ active_task_id: null, compute_instance_id: 'elsewhere' });
    await house.taskmanager();
    const task = await ended(house, await file(house, 'delete_instance', id));
    expect(task).toMatchObject({ state: 'failed' });
    expect(JSON.parse(task.error ?? '{}')).toMatchObject({ code: 'UNPROCESSABLE' });
    expect(await instanceOf(house, id)).toMatchObject({ deleted: 0, server_status: 'ERROR' });
  });

  test('an upgrade of an instance in clear gives it its first key: asked in clear before, sealed after', async () => {
    house = openHouse(catalog);
    const id = await created(false);
    const before = await instanceOf(house, id);
    house.world.calls.length = 0;
    await house.taskmanager({ secure: true });
    expect((await ended(house, await file(house, 'upgrade_instance', id, UPGRADE))).state).toBe('done');
    const row = await instanceOf(house, id);
    expect(row).toMatchObject({ task_id: 1, server_status: 'ACTIVE', rpc_policy: 2, active_task_id: null });
    expect([row.compute_instance_id, row.volume_id]).toEqual([before.compute_instance_id, before.volume_id]);
    expect(house.world.calls).toEqual(['clear pre_upgrade', 'sealed post_upgrade {"stopped":true}']);
    const key = await readInstanceKey(house.catalog.knex, house.rings, id, 'active');
    expect(guestInfo()).toContain(`instance_rpc_encr_key=${key?.instanceKey.reveal()}\n`);
    expect([...house.world.servers.values()][0]?.imageId).toBe('image-2');
    expect([house.world.snapshots.size, await liveResources(id)]).toEqual([
      0,
      ['broker_account', 'queue', 'queue', 'server', 'volume'],
    ]);
  });

  test('an upgrade of a keyed instance gives it the next key, with the switch off too', async () => {
    house = openHouse(catalog);
    const id = await created(true);
    const before = await instanceOf(house, id);
    await house.taskmanager({ secure: false });
    const taskId = await file(house, 'upgrade_instance', id, UPGRADE);
    expect((await ended(house, taskId)).state).toBe('done');
    const row = await instanceOf(house, id);
    expect(row.rpc_policy).toBe(2);
    expect(row.encrypted_key).not.toBe(before.encrypted_key);
    expect(guestInfo()).toContain('instance_rpc_key_version=4\n');
    const files = await house.catalog
      .knex<TaskStepRow>('task_steps')
      .where({ task_id: taskId, name: 'find_server' })
      .pluck('output');
    expect(files.map((output) => JSON.parse(output ?? '').files)).toEqual([null]);
  });

  test('an upgrade of an instance without a key leaves it so with the switch off', async () => {
    house = openHouse(catalog);
    const id = await created(false);
    house.world.calls.length = 0;
    await house.taskmanager({ secure: false });
    expect((await ended(house, await file(house, 'upgrade_instance', id, UPGRADE))).state).toBe('done');
    expect(await instanceOf(house, id)).toMatchObject({ rpc_policy: 0, encrypted_key: null, server_status: 'ACTIVE' });
    expect(house.world.calls).toEqual(['clear pre_upgrade', 'clear post_upgrade {"stopped":true}']);
  });

  test.each([false, true])(
    'an upgrade that fails after the rebuild is taken back whole (keyed before: %s)',
    async (keyed) => {
      house = openHouse(catalog);
      const id = await created(keyed);
      const [before, info] = [await instanceOf(house, id), guestInfo()];
      house.world.calls.length = 0;
      house.world.guestFaults.fail.set('post_upgrade {"stopped":true}', 'cannot read this volume');
      await house.taskmanager({ secure: true });
      expect((await ended(house, await file(house, 'upgrade_instance', id, UPGRADE))).state).toBe('failed');
      const row = await instanceOf(house, id);
      expect(row).toMatchObject({ task_id: 1, server_status: 'ACTIVE', active_task_id: null });
      expect([row.rpc_policy, row.encrypted_key, guestInfo()]).toEqual([before.rpc_policy, before.encrypted_key, info]);
      expect([await faultOf(house, id), [...house.world.servers.values()][0]?.imageId]).toEqual([
        'cannot read this volume',
        'image-1',
      ]);
      expect(house.world.calls.at(-1)).toBe(keyed ? 'sealed restart' : 'clear restart');
      expect(house.world.snapshots.size).toBe(0);
    },
  );

  test('an upgrade whose volume cannot be restored keeps snapshot and new key, says so, and a delete takes them away', async () => {
    house = openHouse(catalog);
    const id = await created(true);
    house.world.guestFaults.fail.set('post_upgrade {"stopped":true}', 'cannot read this volume');
    house.world.scripted.set('restoreVolume', { times: 100, error: new TroveError('COMPUTE_ERROR', 'disk is broken') });
    await house.taskmanager();
    const task = await ended(house, await file(house, 'upgrade_instance', id, UPGRADE));
    const left = ['rebuild_server', 'snapshot_volume', 'stop_server', 'make_pending_key', 'pre_upgrade'];
    expect(JSON.parse(task.error ?? '{}').left).toEqual(left);
    const pending = await readInstanceKey(house.catalog.knex, house.rings, id, 4);
    expect(guestInfo()).toContain(`instance_rpc_encr_key=${pending?.instanceKey.reveal()}\n`);
    expect(await instanceOf(house, id)).toMatchObject({ server_status: 'ERROR', active_task_id: null });
    expect([house.world.snapshots.size, await liveResources(id)]).toEqual([
      1,
      ['broker_account', 'queue', 'queue', 'server', 'snapshot', 'volume'],
    ]);
    expect((await ended(house, await file(house, 'delete_instance', id))).state).toBe('done');
    expect([house.world.snapshots.size, await liveResources(id)]).toEqual([0, []]);
  });

  test('a restart writes RESTARTING, asks the guest and frees the instance', async () => {
    house = openHouse(catalog);
    const id = await created(true);
    await house.taskmanager();
    expect((await ended(house, await file(house, 'restart_instance', id))).state).toBe('done');
    expect(await instanceOf(house, id)).toMatchObject({ task_id: 1, active_task_id: null });
    expect(house.world.calls.at(-1)).toBe('sealed restart');
  });

  test('a restart that the guest refuses frees the instance too, and says why', async () => {
    house = openHouse(catalog);
    const id = await created(true);
    house.world.guestFaults.fail.set('restart', 'cannot start');
    await house.taskmanager();
    expect((await ended(house, await file(house, 'restart_instance', id))).state).toBe('failed');
    expect(await instanceOf(house, id)).toMatchObject({ task_id: 1, active_task_id: null });
    expect(await faultOf(house, id)).toBe('cannot start');
  });
});
