import { newUuid } from '@trove/common';
import { TASK_STATUSES } from '@trove/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ManualClock } from '../../test/manual_clock.ts';
import { ReconciledHouse } from '../../test/reconciled_house.ts';
import { COMPUTE_TIMEOUT_MS } from '../tasks/shared/tools.ts';

const LEASE_MICROS = 60_000_000;

// Each test has a database of its own on a server that others use too.
vi.setConfig({ testTimeout: 60_000 });

describe.each(['mysql', 'sqlite'] as const)('a listing of compute that takes long, on %s', (dialect) => {
  let here: ReconciledHouse;

  beforeEach(async () => {
    here = await ReconciledHouse.open(dialect);
  });
  afterEach(() => here.dispose());

  const leaseUntil = async (): Promise<number> =>
    Number((await here.catalog.knex('reconciler').first('lease_until')).lease_until);

  it('keeps its lease however long it lasts, and what it found is acted on; nobody else begins meanwhile', async () => {
    const left = await here.volume(await here.deletedInstance(), 'gone');
    const clock = new ManualClock();
    const { listOwned } = here.house.world;
    let listings = 0;
    here.house.world.listOwned = async (deploymentId) => {
      listings += 1;
      for (let renewals = 0; renewals < 9; renewals += 1) {
        // A second is left of the lease, and a third of its length goes by.
        const nearly = (await leaseUntil()) - LEASE_MICROS + 1_000_000;
        await here.catalog.knex('reconciler').update({ lease_until: nearly });
        clock.advance(20_000);
        await expect.poll(leaseUntil, { timeout: 20_000 }).toBeGreaterThan(nearly);
        await here.run();
      }
      return await listOwned(deploymentId);
    };
    expect(await here.warnings(clock)).toEqual([]);
    expect(listings, 'an act does not list again').toBe(1);
    expect(clock.now()).toBeGreaterThan(5 * COMPUTE_TIMEOUT_MS);
    expect(here.volumes.has(left)).toBe(false);
    expect((await here.state()).ranAt).not.toBeNull();
    expect(clock.sleeping, 'nothing goes on renewing').toBeLessThanOrEqual(1);
  });

  it('ends its run as soon as the lease is lost, and another goes on; what comes back of it counts for nothing', async () => {
    const left = await here.volume(await here.deletedInstance(), 'gone');
    const clock = new ManualClock();
    const { listOwned } = here.house.world;
    const answer = Promise.withResolvers<Awaited<ReturnType<typeof listOwned>>>();
    const asked = Promise.withResolvers<void>();
    here.house.world.listOwned = () => {
      asked.resolve();
      return answer.promise;
    };
    const warned = here.warnings(clock);
    await asked.promise;
    here.house.world.listOwned = listOwned;
    await here.catalog.knex('reconciler').update({ lease_until: 1 });
    await here.run({ dryRun: true });
    clock.advance(20_000);
    expect(await warned).toEqual(['the lease for reconciling ran out: this run ends here']);
    expect(await here.found()).toEqual(['unowned']);
    answer.resolve([]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await here.found(), 'an empty answer that came too late').toEqual(['unowned']);
    expect(here.volumes.has(left)).toBe(true);
  });

  it('is given up when the taskmanager stops', async () => {
    await here.volume(newUuid());
    const stopping = new AbortController();
    const asked = Promise.withResolvers<void>();
    here.house.world.listOwned = () => {
      asked.resolve();
      return new Promise(() => {});
    };
    const run = here.reconciler()(stopping.signal);
    await asked.promise;
    stopping.abort(new Error('stopping'));
    await expect(run).rejects.toThrow('stopping');
    expect(await here.catalog.knex('reconciler').first('lease_owner', 'ran_at')).toEqual({
      lease_owner: null,
      ran_at: null,
    });
  });

  it('is not made again for one instance whose status alone is settled, and one of an instance asks for that alone', async () => {
    const id = await here.built();
    const { listOwned } = here.house.world;
    const asked: (string | undefined)[] = [];
    here.house.world.listOwned = async (deploymentId, instanceId) => {
      asked.push(instanceId);
      return await listOwned(deploymentId, instanceId);
    };
    await here.change(id, { task_id: TASK_STATUSES.REBOOTING.code });
    await here.settled(id);
    expect(asked).toEqual([undefined]);
    await here.volume(id, 'gone');
    await here.settled(id);
    expect(asked).toEqual([undefined, undefined, id]);
    expect(here.volumes.size).toBe(1);
  });
});
