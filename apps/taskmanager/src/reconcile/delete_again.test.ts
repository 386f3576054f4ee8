import { TroveError } from '@trove/common';
import { TASK_STATUSES } from '@trove/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { booksOf, ended, faultOf, file, instanceOf } from '../../test/house.ts';
import { ReconciledHouse } from '../../test/reconciled_house.ts';

// Each test has a database of its own on a server that others use too.
vi.setConfig({ testTimeout: 60_000 });

describe.each(['mysql', 'sqlite'] as const)('a delete that failed, on %s,', (dialect) => {
  let here: ReconciledHouse;

  beforeEach(async () => {
    here = await ReconciledHouse.open(dialect);
  });
  afterEach(() => here.dispose());

  const deletes = async (id: string): Promise<string[]> => {
    const rows = await here.catalog.knex('tasks').where({ instance_id: id, kind: 'delete_instance' }).select('state');
    return rows.map(({ state }) => state).toSorted();
  };

  async function failedDelete(): Promise<string> {
    const id = await here.built();
    here.house.world.scripted.set('deleteVolume', { times: 1, error: new TroveError('COMPUTE_ERROR', 'no') });
    expect((await ended(here.house, await file(here.house, 'delete_instance', id))).state).toBe('failed');
    expect(await instanceOf(here.house, id)).toMatchObject({
      task_id: TASK_STATUSES.DELETING.code,
      server_status: 'ERROR',
    });
    expect([await faultOf(here.house, id), here.volumes.size]).toEqual(['no', 1]);
    return id;
  }

  it('is done again by itself, and leaves nothing', async () => {
    const id = await failedDelete();
    await here.run();
    await expect.poll(async () => (await instanceOf(here.house, id)).deleted, { timeout: 20_000 }).toBe(1);
    expect([await deletes(id), here.volumes.size, await booksOf(here.house)]).toEqual([['done', 'failed'], 0, [0, 0]]);
    await here.run();
    expect([await here.found(), await here.invariants()]).toEqual([[], []]);
  });

  it('waits for the grace time, and where the catalog may have been restored for an operator', async () => {
    const id = await failedDelete();
    await here.run({ graceMs: 60_000 });
    expect([await here.found(), await deletes(id)]).toEqual([['failed_delete'], ['failed']]);
    await here.volume(id);
    await here.run();
    expect([await here.found(), await deletes(id)]).toEqual([['failed_delete', 'unheard'], ['failed']]);
  });

  it('is left alone where an adopted Trove left it', async () => {
    const adopted = { deleted: 0, rpc_policy: 0, tenant_id: 'old', server_status: 'ERROR' };
    const id = '11111111-2222-4333-8444-555555555555';
    await here.catalog.knex('instances').insert({ id, ...adopted, task_id: TASK_STATUSES.DELETING.code });
    await here.run();
    expect([await here.found(), await deletes(id)]).toEqual([[], []]);
  });
});
