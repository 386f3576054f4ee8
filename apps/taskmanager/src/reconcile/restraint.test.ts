import { approveFindings } from '@trove/catalog';
import { createMetrics, newUuid, TroveError } from '@trove/common';
import { TASK_STATUSES } from '@trove/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { booksOf, instanceOf } from '../../test/house.ts';
import { ReconciledHouse, STAYS } from '../../test/reconciled_house.ts';

const HOUR_MICROS = 3_600_000_000;

// Each test has a database of its own on a server that others use too.
vi.setConfig({ testTimeout: 60_000 });

describe.each(['mysql', 'sqlite'] as const)('a reconciler that holds back on %s', (dialect) => {
  let here: ReconciledHouse;

  beforeEach(async () => {
    here = await ReconciledHouse.open(dialect);
  });
  afterEach(() => here.dispose());

  it('waits for the grace time, and in a young catalog repairs but removes nothing', async () => {
    const left = await here.volume(await here.deletedInstance(), 'gone');
    const id = await here.built();
    await here.catalog.knex('quota_usages').where({ tenant_id: here.house.project }).update({ in_use: 99 });
    const patient = here.reconciler({ graceMs: 1_800_000 });
    await patient(STAYS);
    expect(await here.found()).toEqual(['quota', 'quota', 'quota', 'quota', 'unowned']);
    expect((await booksOf(here.house))[0]).toBe(99);
    await here.catalog.knex('reconcile_findings').decrement('since', HOUR_MICROS);
    await patient(STAYS);
    expect((await booksOf(here.house))[0]).toBe(3);
    expect(here.volumes.has(left), 'the catalog is younger than the grace time').toBe(true);
    await here.catalog.knex('deployment').decrement('created', HOUR_MICROS);
    await patient(STAYS);
    expect(here.volumes.has(left)).toBe(false);
    expect(await instanceOf(here.house, id)).toMatchObject({ task_id: 1 });
  });

  it('removes nothing while there is what the catalog has never heard of, until an operator has looked', async () => {
    const [left, unheard] = [await here.volume(await here.deletedInstance(), 'gone'), await here.volume(newUuid())];
    await here.run();
    await here.run();
    expect(await here.found()).toEqual(['unheard', 'unowned']);
    expect(here.volumes).toEqual(new Set([left, unheard]));
    const seen = await here.state();
    const unseen = await here.volume(newUuid());
    expect(await approveFindings(here.catalog, seen.findings)).toBe(2);
    await here.run();
    expect(here.volumes, 'what nobody has looked at stays').toEqual(new Set([unseen]));
  });

  it('beside an instance too: its status is settled, and of what was never heard of only what was looked at goes', async () => {
    const id = await here.built();
    await here.change(id, { task_id: TASK_STATUSES.REBOOTING.code });
    const [own] = here.volumes;
    const [left, seen] = [await here.volume(id, 'gone'), [await here.volume(id), await here.volume(id)]];
    await here.settled(id);
    expect(await instanceOf(here.house, id)).toMatchObject({ task_id: 1 });
    expect(here.volumes.size, 'a repair takes nothing along').toBe(4);
    const { findings } = await here.state();
    const unseen = await here.volume(id);
    await approveFindings(
      here.catalog,
      findings.filter((finding) => finding.kind === 'unheard'),
    );
    await here.catalog.knex('tasks').where({ kind: 'reconcile_instance' }).delete();
    await here.settled(id);
    expect(seen.filter((each) => here.volumes.has(each))).toEqual([]);
    expect(here.volumes).toEqual(new Set([own, left, unseen]));
  });

  it('removes nothing once it has seen the catalog go back, until an operator has looked', async () => {
    const left = await here.volume(await here.deletedInstance(), 'gone');
    const watching = here.reconciler({ maxActions: 1, dryRun: true });
    await watching(STAYS);
    await watching(STAYS);
    await here.catalog.knex('reconciler').update({ run: 0 });
    await watching(STAYS);
    await here.run();
    expect(here.volumes.has(left)).toBe(true);
    const { heldSince, findings } = await here.state();
    expect(heldSince).not.toBeNull();
    await approveFindings(here.catalog, findings);
    await here.run();
    expect(here.volumes.has(left)).toBe(false);
  });

  it('acts on nothing in a dry run but what was approved, and on no more at once than it may', async () => {
    const gone = await here.deletedInstance();
    for (const state of ['gone', 'gone', 'deleting'] as const) await here.volume(gone, state);
    await here.run({ dryRun: true });
    expect(here.volumes.size).toBe(3);
    const { findings } = await here.state();
    await approveFindings(here.catalog, findings.slice(0, 1));
    await here.run({ dryRun: true });
    expect(here.volumes.size).toBe(2);
    await here.run({ maxActions: 1 });
    expect(here.volumes.size).toBe(1);
  });

  it('is a round of each taskmanager, and its page of metrics says what it found and did', async () => {
    const left = await here.volume(await here.deletedInstance(), 'gone');
    const unheard = await here.volume(newUuid());
    const metrics = createMetrics();
    const settings = { reconcile_grace: 0, reconcile_max_actions: 10, reconcile_dry_run: false };
    const reconcile = { ...settings, reconcile_interval: 1 };
    await Promise.all([here.house.taskmanager({ reconcile, metrics }), here.house.taskmanager({ reconcile })]);
    await expect.poll(() => here.found(), { timeout: 20_000 }).toEqual(['unheard', 'unowned']);
    const page = async (): Promise<string> => (await metrics.page()).text;
    await expect.poll(async () => (await here.state()).ranAt, { timeout: 20_000 }).not.toBeNull();
    expect(await page()).toContain('trove_reconcile_findings{kind="unheard"} 1');
    expect(await page()).toMatch(/^trove_reconcile_last_run_seconds \d{10}/m);
    await approveFindings(here.catalog, (await here.state()).findings);
    await expect.poll(() => here.volumes.size, { timeout: 20_000 }).toBe(0);
    expect([left, unheard].filter((each) => here.volumes.has(each))).toEqual([]);
  });

  it('is one at a time, however many there are, and one whose lease is lost does not act', async () => {
    const [one, other] = [
      await here.volume(await here.deletedInstance(), 'gone'),
      await here.volume(await here.deletedInstance(), 'gone'),
    ];
    const stopped = Promise.withResolvers<void>();
    const inside = Promise.withResolvers<void>();
    const { deleteVolume } = here.house.world;
    const deleted: string[] = [];
    here.house.world.deleteVolume = async (id, signal) => {
      deleted.push(id);
      inside.resolve();
      if (deleted.length === 1) await stopped.promise;
      await deleteVolume(id, signal);
    };
    const zombie = here.run();
    await inside.promise;
    await Promise.all([here.run(), here.run(), here.run()]);
    expect(deleted, 'the lease is taken').toHaveLength(1);
    await here.catalog.knex('reconciler').update({ lease_until: 1 });
    await Promise.all([here.run(), here.run(), here.run()]);
    expect(new Set(deleted)).toEqual(new Set([one, other]));
    expect(here.volumes.size).toBe(0);
    const before = deleted.length;
    stopped.resolve();
    await zombie;
    expect(deleted, 'the zombie comes back and stops').toHaveLength(before);
  });

  it.each(['listOwned', 'flavors'] as const)('whose lease runs out in %s does nothing, and says so', async (slow) => {
    const left = await here.volume(await here.deletedInstance(), 'gone');
    const { [slow]: quick } = here.house.world;
    Object.assign(here.house.world, {
      [slow]: async (deploymentId: string) => {
        const answer = await quick(deploymentId);
        await here.catalog.knex('reconciler').update({ lease_until: 1 });
        return answer;
      },
    });
    expect(await here.warnings()).toEqual(['the lease for reconciling ran out: this run ends here']);
    expect(here.volumes.has(left)).toBe(true);
    expect(await here.state(), 'it counts as no comparison').toMatchObject({ ranAt: null, findings: [] });
    Object.assign(here.house.world, { [slow]: quick });
    expect(await here.warnings()).toEqual([]);
    expect(here.volumes.has(left)).toBe(false);
    expect((await here.state()).ranAt).not.toBeNull();
  });

  it('renews its lease between the looks, so that all of them together may take longer than it', async () => {
    const renewed: number[] = [];
    const { listOwned, flavors } = here.house.world;
    const nearlyOut = async (): Promise<void> => {
      const { lease_until: until } = await here.catalog.knex('reconciler').first('lease_until');
      renewed.push(Number(until));
      await here.catalog.knex('reconciler').update({ lease_until: Number(until) - 50_000_000 });
    };
    here.house.world.listOwned = async (deploymentId) => {
      await nearlyOut();
      return await listOwned(deploymentId);
    };
    here.house.world.flavors = async () => {
      await nearlyOut();
      return await flavors();
    };
    expect(await here.warnings()).toEqual([]);
    const [first, second] = renewed;
    expect(second, 'a whole lease again').toBeGreaterThan(Number(first) - 50_000_000);
    expect((await here.state()).ranAt).not.toBeNull();
  });

  it('removes nothing where a host is called otherwise, and so all on it has other ids', async () => {
    const id = await here.built();
    const { listOwned } = here.house.world;
    here.house.world.listOwned = async (...of) =>
      (await listOwned(...of)).map((thing) => ({ ...thing, id: `f00f00f0${thing.id.slice(8)}` }));
    expect(await here.warnings()).toEqual([]);
    await here.run();
    expect([await here.found(), here.volumes.size, here.house.world.servers.size]).toEqual([[], 1, 1]);
    expect(await here.catalog.knex('tasks').where({ instance_id: id, kind: 'reconcile_instance' })).toEqual([]);
  });

  it('removes all the same, however many repairs come first', async () => {
    const left = await here.volume(await here.deletedInstance(), 'gone');
    await here.built();
    const { project } = here.house;
    await here.catalog.knex('quota_usages').where({ tenant_id: project }).update({ in_use: 99 });
    await here.run({ dryRun: true });
    expect(await here.found()).toEqual(['quota', 'quota', 'quota', 'quota', 'unowned']);
    await here.run({ maxActions: 1 });
    expect(here.volumes.has(left)).toBe(false);
  });

  it('puts the catalog right while compute cannot be listed, and knows later what it had found outside', async () => {
    const left = await here.volume(await here.deletedInstance(), 'gone');
    await here.volume(newUuid());
    await here.built();
    await here.run({ dryRun: true });
    const outside = (await here.state()).findings;
    expect(outside.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['unheard', 'unowned']));
    await approveFindings(here.catalog, outside);
    const approved = await here.state();
    await here.catalog.knex('quota_usages').where({ tenant_id: here.house.project }).update({ in_use: 99 });
    await here.resource(await here.deletedInstance(), { state: 'deleting' });
    const { listOwned } = here.house.world;
    here.house.world.listOwned = async () => {
      throw new TroveError('COMPUTE_ERROR', 'a host is silent', { retryable: true });
    };
    expect(await here.warnings()).toEqual(['what is outside cannot be listed: only the catalog is put right']);
    expect((await booksOf(here.house))[0]).toBe(3);
    expect(await here.warnings()).toHaveLength(1);
    expect(await here.found()).toEqual(['unheard', 'unowned', 'unsettled']);
    const { findings, ranAt } = await here.state();
    expect(findings.filter(({ kind }) => kind !== 'unsettled')).toEqual(approved.findings);
    expect(ranAt, 'it counts as no comparison').toBe(approved.ranAt);
    here.house.world.listOwned = listOwned;
    await here.run();
    expect(here.volumes.has(left)).toBe(false);
    await here.run();
    expect(await here.found()).toEqual([]);
  });
});
