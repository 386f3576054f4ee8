import type { ResourceRow } from '@trove/catalog';
import { TroveError, uuidV5 } from '@trove/common';
import type { TaskEngineOptions } from '@trove/tasks';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ended, file, fileCreate, type House, instanceOf } from '../../../test/house.ts';
import { ReconciledHouse } from '../../../test/reconciled_house.ts';

const SILENT = new TroveError('COMPUTE_ERROR', 'A host does not answer.', { retryable: true });
const REFUSED = new TroveError('COMPUTE_ERROR', 'no');

let here: ReconciledHouse;
let house: House;
beforeEach(async () => {
  here = await ReconciledHouse.open('sqlite');
  house = here.house;
});
afterEach(() => here.dispose());

/** Some host that has nothing of this instance, or may have: whoever asks all of them fails. */
function silence(): { end(): void } {
  const { findVolume, findServers, findSnapshot, listOwned } = house.world;
  const fail = async () => {
    throw SILENT;
  };
  const ofVolume = async (token: string, volumeId?: string) =>
    volumeId === undefined ? await fail() : await findServers(token, volumeId);
  Object.assign(house.world, { findVolume: fail, findSnapshot: fail, listOwned: fail, findServers: ofVolume });
  return { end: () => void Object.assign(house.world, { findVolume, findServers, findSnapshot, listOwned }) };
}

const states = async (id: string): Promise<string[]> =>
  await here.catalog.knex<ResourceRow>('resources').where({ instance_id: id }).orderBy('kind').pluck('state');

test('a create that failed is undone while a host that has none of it is silent', async () => {
  silence();
  house.world.scripted.set('createServer', { times: 1, error: REFUSED });
  const { id, taskId } = await fileCreate(house);
  await house.taskmanager();
  const { state, error } = await ended(house, taskId);
  expect([state, JSON.parse(error ?? '{}').left]).toEqual(['failed', []]);
  expect(house.world.volumes.size).toBe(0);
  expect(new Set(await states(id))).toEqual(new Set(['gone']));
  expect((await instanceOf(house, id)).volume_id).toBeNull();
});

test('so is one that is cancelled when its server is there already, and whose makers died before they said so', async () => {
  silence();
  const deaths = new Set<string>();
  const faults: TaskEngineOptions['faults'] = async ({ step, at, taskId }) => {
    if (at !== 'after_run' || (step !== 'create_server' && step !== 'create_volume') || deaths.has(step)) return;
    deaths.add(step);
    if (step === 'create_volume') return;
    await here.catalog.knex('tasks').where({ id: taskId }).update({ lease_until: 1, cancel_requested: 1 });
    throw new Error('killed');
  };
  const { id, taskId } = await fileCreate(house);
  await house.taskmanager({ faults });
  expect((await ended(house, taskId)).state).toBe('cancelled');
  expect([house.world.servers.size, house.world.volumes.size]).toEqual([0, 0]);
  expect(new Set(await states(id))).toEqual(new Set(['gone']));
});

/** As a driver with several hosts does: says where, makes it there, and finds it there whatever others say. */
function chosenHost(after: () => void): void {
  const { createVolume, findVolume } = house.world;
  house.world.createVolume = async (request, signal) => {
    await request.onChosen?.(uuidV5(request.clientToken, 'volume'));
    const made = await createVolume(request, signal);
    after();
    return made;
  };
  silence();
  const { findVolume: fails } = house.world;
  house.world.findVolume = (token, volumeId) => (volumeId === undefined ? fails(token) : findVolume(token));
}

test('a volume whose host was chosen is taken away there, though nobody said that it was made', async () => {
  chosenHost(() => {
    throw REFUSED;
  });
  const { id, taskId } = await fileCreate(house);
  await house.taskmanager();
  const { state, error } = await ended(house, taskId);
  expect([state, JSON.parse(error ?? '{}').left]).toEqual(['failed', []]);
  expect([house.world.volumes.size, await states(id)]).toEqual([0, expect.not.arrayContaining(['intent'])]);
});

test('and is taken over there by whoever goes on', async () => {
  let deaths = 0;
  chosenHost(() => {
    deaths += 1;
    if (deaths === 1) throw SILENT;
  });
  const { taskId } = await fileCreate(house);
  await house.taskmanager();
  expect((await ended(house, taskId)).state).toBe('done');
  expect([house.world.volumes.size, deaths]).toEqual([1, 1]);
});

test('one that never asked for anything asks nobody', async () => {
  silence();
  const faults: TaskEngineOptions['faults'] = async ({ step, at, taskId }) => {
    if (step !== 'create_volume' || at !== 'before_run') return;
    await here.catalog.knex('tasks').where({ id: taskId }).update({ lease_until: 1 });
    throw new Error('killed');
  };
  const { id } = await fileCreate(house);
  await house.taskmanager({ faults });
  await expect
    .poll(() => here.catalog.knex('task_steps').where({ name: 'create_volume' }), { timeout: 20_000 })
    .toHaveLength(1);
  expect((await ended(house, await file(house, 'delete_instance', id))).state).toBe('done');
  expect(await states(id)).not.toContain('intent');
});

test('what a silent host may hold is not called removed, and goes when the host is back', async () => {
  const { createVolume } = house.world;
  house.world.createVolume = async (request, signal) => {
    await createVolume(request, signal);
    throw REFUSED;
  };
  const silent = silence();
  const { id, taskId } = await fileCreate(house);
  await house.taskmanager();
  await expect
    .poll(() => here.catalog.knex('tasks').where({ id: taskId, state: 'compensating' }), { timeout: 20_000 })
    .toHaveLength(1);
  await here.catalog.knex('tasks').where({ id: taskId }).update({ deadline: 1 });
  expect(await ended(house, taskId)).toMatchObject({
    state: 'failed',
    error: expect.stringContaining('create_volume'),
  });
  expect(await states(id)).toContain('intent');
  expect(house.world.volumes.size).toBe(1);
  await here.run();
  expect(await states(id), 'the reconciler does not either').toContain('intent');
  silent.end();
  house.world.createVolume = createVolume;
  await expect
    .poll(
      async () => {
        await here.run();
        return house.world.volumes.size;
      },
      { timeout: 20_000 },
    )
    .toBe(0);
  await expect.poll(() => states(id), { timeout: 20_000 }).not.toContain('intent');
});
