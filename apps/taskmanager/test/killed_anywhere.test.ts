import { checkInvariants } from '@trove/catalog';
import type { TestCatalog } from '@trove/catalog/testing';
import { type Random, seededRandom, withBoundaries } from '@trove/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ended, fileCreate, type House, instanceOf, openHouse, openTestCatalog } from './house.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';

/** One of them alone: `TROVE_KILL_SEED=7`. More of them: `TROVE_KILL_RUNS=1000`. */
const SEED = process.env['TROVE_KILL_SEED'];
const RUNS = Number(process.env['TROVE_KILL_RUNS'] ?? 4);
const SEEDS = SEED === undefined ? Array.from({ length: RUNS }, (_, index) => index + 1) : [Number(SEED)];
const MS_PER_RUN = 20_000;
const VISITS_TO_DEATH = 40;

class Killed extends Error {}

/**
 * A taskmanager that dies, once, around some outside call or some transaction: of a step, of the journal, of a lease, or of
 * a round. Whoever is dead changes nothing more. Resolves when it is dead, or when the task has ended before.
 */
async function mortal(house: House, random: Random, filed: { id: string; taskId: string }): Promise<void> {
  const death = Promise.withResolvers<void>();
  let left = 1 + Math.floor(random() * VISITS_TO_DEATH);
  let dead = false;
  const visit = async (): Promise<void> => {
    if (dead) throw new Killed('dead already');
    left -= 1;
    if (left > 0) return;
    dead = true;
    const leases = house.catalog.knex('tasks').where({ instance_id: filed.id }).whereNotNull('lease_owner');
    await leases.update({ lease_until: 1, lease_owner: 'the dead' });
    death.resolve();
    throw new Killed('dead');
  };
  const { catalog, world } = house;
  const taskmanager = await house.taskmanager({
    catalog: { ...catalog, knex: withBoundaries(catalog.knex, visit, ['transaction']) },
    compute: withBoundaries(world, visit),
    faults: visit,
  });
  await Promise.race([death.promise, ended(house, filed.taskId, MS_PER_RUN)]);
  await taskmanager.close();
}

describe.each(SCENARIOS)('$name, whose workers die anywhere', (scenario) => {
  let catalog: TestCatalog;
  let house: House;
  beforeAll(async () => {
    catalog = await openTestCatalog('sqlite');
  });
  afterEach(() => house.dispose());
  afterAll(() => catalog.dispose());

  test.each(SEEDS)('ends as it should; seed %i', { timeout: 3 * MS_PER_RUN }, async (seed) => {
    const again = `again: TROVE_KILL_SEED=${seed} npx vitest run test/killed_anywhere.test.ts -t "${scenario.name},"`;
    const random = seededRandom(seed);
    house = openHouse(catalog);
    const filed = await fileWith(scenario);
    for (let deaths = 1 + Math.floor(random() * 4); deaths > 0; deaths -= 1) await mortal(house, random, filed);
    await house.taskmanager();
    expect((await ended(house, filed.taskId, MS_PER_RUN)).state, again).toBe(scenario.ends);
    await checkWhole(filed.id, again);
  });

  /** An instance that serves, made by a taskmanager to which nothing happens, and then the task. */
  async function fileWith({ file, refused }: Scenario): Promise<{ id: string; taskId: string }> {
    const filed = await file(house, async () => {
      const healthy = await house.taskmanager();
      const made = await fileCreate(house);
      await ended(house, made.taskId);
      await healthy.close();
      return made.id;
    });
    if (refused !== undefined) house.world.guestFaults.fail.set(...refused);
    return filed;
  }

  async function checkWhole(id: string, again: string): Promise<void> {
    const { world, rings } = house;
    const row = await instanceOf(house, id);
    expect(row.active_task_id, again).toBeNull();
    const effects = world.volumes.get(row.volume_id ?? '')?.effects ?? [];
    expect(new Set(effects).size, again).toBe(effects.length);
    const deployment: { deployment_id: string } | undefined = await catalog.knex('deployment').first();
    const report = await checkInvariants({
      catalog,
      things: { read: () => world.listOwned(deployment?.deployment_id ?? '') },
      flavors: { read: () => world.flavors() },
      broker: { notChecked: 'the bus is in memory' },
      rings,
      logs: { files: [], secrets: [] },
      effects: { notChecked: 'counted on the volume' },
      settleMs: 200,
    });
    const own = report.results.flatMap(({ invariant, findings }) =>
      findings.filter(({ instanceId }) => instanceId === id).map(({ what }) => `${invariant}: ${what}`),
    );
    expect(own, again).toEqual([]);
    expect(await world.listOwned(deployment?.deployment_id ?? ''), again).toHaveLength(
      row.deleted === 1 ? 0 : thingsOf(row),
    );
  }
});

/** Server and volume, where they are there. */
function thingsOf(row: { compute_instance_id: string | null; volume_id: string | null }): number {
  return [row.compute_instance_id, row.volume_id].filter((one) => one !== null).length;
}
