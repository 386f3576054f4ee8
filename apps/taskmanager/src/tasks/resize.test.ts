import { reserveGrowth, type ServiceStatusRow, type TaskStepRow, withTransaction } from '@trove/catalog';
import type { TestCatalog } from '@trove/catalog/testing';
import { systemClock, TroveError } from '@trove/common';
import type { TaskEngineOptions } from '@trove/tasks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
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
} from '../../test/house.ts';
import { FLAVOR, LARGER } from '../../test/world.ts';

const HOUR_MS = 3_600_000;
const TO_LARGER = { flavor: { ...LARGER }, previous_flavor: { ...FLAVOR } };
const TO_SMALLER = { flavor: { ...FLAVOR }, previous_flavor: { ...LARGER } };

describe.each(['mysql', 'sqlite'] as const)('a resize on %s', (dialect) => {
  let house: House;
  let catalog: TestCatalog;
  let id: string;
  beforeAll(async () => {
    catalog = await openTestCatalog(dialect);
  });
  beforeEach(() => {
    house = openHouse(catalog);
  });
  afterEach(() => house.dispose());
  afterAll(() => catalog.dispose());

  async function create(options: { secure?: boolean; faults?: TaskEngineOptions['faults'] } = {}): Promise<void> {
    await house.taskmanager(options);
    id = await createdBy(house);
  }

  /** As the api does: quota first, then the task. */
  async function resize(
    kind: 'resize_flavor' | 'resize_volume',
    params: typeof TO_LARGER | { volume_size: number; previous_size: number },
  ) {
    const amounts =
      'flavor' in params
        ? { ram: params.flavor.ram - params.previous_flavor.ram, volumes: 0 }
        : { ram: 0, volumes: params.volume_size - params.previous_size };
    const growth = { instances: 0, ram: Math.max(0, amounts.ram), volumes: amounts.volumes };
    const unlimited = { instances: -1, ram: -1, volumes: -1 };
    const request = {
      projectId: house.project,
      instanceId: id,
      amounts: growth,
      defaults: unlimited,
      ramOf: () => FLAVOR.ram,
    };
    await withTransaction(catalog, (tx) => reserveGrowth(tx, request));
    return await file(house, kind, id, params);
  }

  async function ram(): Promise<unknown> {
    const row = await catalog
      .knex('quota_usages')
      .where({ tenant_id: house.project, resource: 'ram' })
      .first('in_use', 'reserved');
    return [Number(row?.in_use), Number(row?.reserved)];
  }

  const flavors = (): string[] => [...house.world.servers.values()].map(({ flavorId }) => flavorId);

  test('of the flavor ends with the new one on server, row and books, and back again', async () => {
    await create();
    const server = await instanceOf(house, id);
    expect((await ended(house, await resize('resize_flavor', TO_LARGER))).state).toBe('done');
    expect(await instanceOf(house, id)).toMatchObject({
      ...{ flavor_id: LARGER.id, task_id: 1, server_status: 'ACTIVE', active_task_id: null },
      ...{ compute_instance_id: server.compute_instance_id, volume_id: server.volume_id },
    });
    expect([flavors(), await ram()]).toEqual([[LARGER.id], [LARGER.ram, 0]]);
    expect((await ended(house, await resize('resize_flavor', TO_SMALLER))).state).toBe('done');
    expect([flavors(), await ram()]).toEqual([[FLAVOR.id], [FLAVOR.ram, 0]]);
  });

  test('after which the database does not serve is taken back at its deadline, and the books with it', async () => {
    await create();
    house.world.guestFaults.fail.set('start', 'not enough memory');
    const taskId = await resize('resize_flavor', TO_LARGER);
    await waitForStep(taskId, 'await_serving');
    expect([flavors(), await ram()]).toEqual([[LARGER.id], [FLAVOR.ram, LARGER.ram - FLAVOR.ram]]);
    house.world.guestFaults.fail.delete('start');
    await catalog.knex('tasks').where({ id: taskId }).update({ deadline: 1 });
    expect((await ended(house, taskId)).state).toBe('failed');
    expect(await faultOf(house, id)).toContain('"await_serving"');
    expect([flavors(), await ram(), (await instanceOf(house, id)).flavor_id]).toEqual([
      [FLAVOR.id],
      [FLAVOR.ram, 0],
      FLAVOR.id,
    ]);
  });

  test('that the driver refuses leaves server, row and books, and says why', async () => {
    await create();
    house.world.scripted.set('resizeServer', {
      times: 1,
      error: new TroveError('COMPUTE_ERROR', 'no host is large enough'),
    });
    expect((await ended(house, await resize('resize_flavor', TO_LARGER))).state).toBe('failed');
    expect(await faultOf(house, id)).toBe('no host is large enough');
    expect(await instanceOf(house, id)).toMatchObject({ flavor_id: FLAVOR.id, task_id: 1, server_status: 'ACTIVE' });
    expect([flavors(), await ram()]).toEqual([[FLAVOR.id], [FLAVOR.ram, 0]]);
  });

  test('of a guest in clear waits for a heartbeat of the new boot', async () => {
    await create({ secure: false });
    const taskId = await resize('resize_flavor', TO_LARGER);
    await waitForStep(taskId, 'await_serving');
    const row = await catalog
      .knex<ServiceStatusRow>('service_statuses')
      .where({ instance_id: id })
      .first('status_description');
    expect(row?.status_description).toBe('paused');
    await serves();
    expect((await ended(house, taskId)).state).toBe('done');
  });

  test('is waited for as long as before by a taskmanager whose clock is an hour ahead', async () => {
    const first = await house.taskmanager({ secure: false });
    id = await createdBy(house);
    const taskId = await resize('resize_flavor', TO_LARGER);
    await waitForStep(taskId, 'await_serving');
    await first.close();
    const { fence } = await taskOf(taskId);
    await house.taskmanager({ secure: false, clock: { ...systemClock, now: () => systemClock.now() + HOUR_MS } });
    while ((await taskOf(taskId)).fence === fence) await new Promise((resolve) => setTimeout(resolve, 20));
    await serves();
    expect((await ended(house, taskId)).state).toBe('done');
  });

  test('of the volume ends with the new size on volume, row and books; one that fails leaves all three', async () => {
    await create();
    expect((await ended(house, await resize('resize_volume', { volume_size: 5, previous_size: 3 }))).state).toBe(
      'done',
    );
    const sizes = async () => [
      [...house.world.volumes.values()][0]?.size,
      (await instanceOf(house, id)).volume_size,
      await booksOf(house),
    ];
    expect(await sizes()).toEqual([5, 5, [5, 0]]);
    house.world.scripted.set('extendVolume', { times: 1, error: new TroveError('COMPUTE_ERROR', 'no space') });
    expect((await ended(house, await resize('resize_volume', { volume_size: 7, previous_size: 5 }))).state).toBe(
      'failed',
    );
    expect([await sizes(), await faultOf(house, id)]).toEqual([[5, 5, [5, 0]], 'no space']);
    expect((await instanceOf(house, id)).task_id).toBe(1);
  });

  describe('of the volume that compute has done, and that', () => {
    const confirm = new TroveError('COMPUTE_ERROR', 'no answer');
    const state = async () => [
      [...house.world.volumes.values()][0]?.size,
      (await instanceOf(house, id)).volume_size,
      await booksOf(house),
    ];
    const params = { volume_size: 5, previous_size: 3 };

    test('fails when it is to be confirmed is booked as it is', async () => {
      await create();
      house.world.scripted.set('volumeSize', { times: 1, error: confirm });
      expect((await ended(house, await resize('resize_volume', params))).state).toBe('failed');
      expect([await state(), await faultOf(house, id)]).toEqual([[5, 5, [5, 0]], 'no answer']);
      expect((await instanceOf(house, id)).task_id).toBe(1);
    });

    test('is cancelled by a delete is booked, and then freed, whoever dies at it', async () => {
      const died = new Set<string>();
      const faults: TaskEngineOptions['faults'] = async ({ kind, at, taskId }) => {
        if (kind !== 'resize_volume' || (at !== 'after_run' && at !== 'after_undo') || died.has(at)) return;
        died.add(at);
        if (at === 'after_undo') expect(await state()).toEqual([5, 5, [5, 0]]);
        await catalog.knex('tasks').where({ id: taskId }).update({ lease_until: 1, cancel_requested: 1 });
        throw new Error('killed');
      };
      await create({ faults });
      expect((await ended(house, await resize('resize_volume', params))).state).toBe('cancelled');
      expect([...died]).toEqual(['after_run', 'after_undo']);
      expect(await state()).toEqual([5, 5, [5, 0]]);
      expect((await ended(house, await file(house, 'delete_instance', id))).state).toBe('done');
      expect(await booksOf(house)).toEqual([0, 0]);
    });

    test('was larger than that already is booked as the driver says', async () => {
      await create();
      for (const volume of house.world.volumes.values()) volume.size = 9;
      expect((await ended(house, await resize('resize_volume', params))).state).toBe('done');
      expect(await state()).toEqual([9, 9, [9, 0]]);
    });
  });

  /** As a guest in clear says it. */
  async function serves(): Promise<void> {
    const status = { status_id: 33, status_description: 'healthy' };
    await catalog.knex('service_statuses').where({ instance_id: id }).update(status);
  }

  async function taskOf(taskId: string): Promise<{ fence: unknown }> {
    return await catalog.knex('tasks').where({ id: taskId }).first('fence');
  }

  async function waitForStep(taskId: string, name: string): Promise<void> {
    for (;;) {
      const row = await catalog.knex<TaskStepRow>('task_steps').where({ task_id: taskId, name }).first('output');
      if (row?.output?.includes('progress') === true) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
});

async function createdBy(house: House): Promise<string> {
  const filed = await fileCreate(house);
  expect((await ended(house, filed.taskId)).state).toBe('done');
  return filed.id;
}
