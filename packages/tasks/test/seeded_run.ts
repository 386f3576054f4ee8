import { type Catalog, type TaskRow, withTransaction } from '@trove/catalog';
import { type Clock, isTroveError, silentLogger, systemClock } from '@trove/common';
import { dueTasks } from '../src/engine/due.ts';
import { takeTask } from '../src/engine/lease.ts';
import type { FaultPoint } from '../src/engine/options.ts';
import { type WorkerSettings, workOn } from '../src/engine/work_on.ts';
import { fileBuild, fileRemove, instanceOf, newInstance, taskOf } from './house.ts';
import { type BuildPlan, fixtureKinds } from './kinds.ts';
import { MemoryWorld } from './world.ts';

const LEASE_MS = 30_000;
const MAX_ROUNDS = 400;
const STEPS = ['make_secret', 'make_volume', 'make_server', 'wait_ready', 'announce'] as const;

/** The worker's process died at this point. */
class Killed extends Error {}

type Random = () => number;

/** Mulberry32: the same seed, the same run. */
function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * One instance's life under faults: a build that may fail, workers that are killed or stopped past their lease at any
 * boundary, a delete at any moment. Rejects with what does not hold at the end.
 */
export async function seededRun(catalog: Catalog, seed: number): Promise<void> {
  const run = new Run(catalog, randomOf(seed), await newInstance(catalog));
  await run.play();
  await run.check();
}

class Run {
  readonly #world = new MemoryWorld();
  readonly #kinds = fixtureKinds(this.#world);
  readonly #catalog: Catalog;
  readonly #random: Random;
  readonly #instanceId: string;
  readonly #plan: BuildPlan;
  #faultsLeft: number;
  #workers = 0;
  #fence = 0n;
  #buildId = '';
  #removeId: string | undefined;

  constructor(catalog: Catalog, random: Random, instanceId: string) {
    this.#catalog = catalog;
    this.#random = random;
    this.#instanceId = instanceId;
    this.#plan = this.#somePlan();
    this.#faultsLeft = Math.floor(random() * 8);
  }

  async play(): Promise<void> {
    this.#buildId = (await fileBuild(this.#catalog, this.#instanceId, this.#plan)).taskId;
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      if (this.#chance(0.3)) this.#world.create(this.#instanceId, 'ready', this.#instanceId);
      if (this.#chance(0.05)) await this.#requestRemoval();
      await this.#timePasses();
      if ((await this.#unfinished()).length === 0) return;
      await this.#oneWorker(true);
    }
    throw new Error(`tasks that never end: ${JSON.stringify(await this.#unfinished())}`);
  }

  /** Leases of the dead run out and waits are over. */
  async #timePasses(): Promise<void> {
    const own = this.#catalog.knex('tasks').where({ instance_id: this.#instanceId });
    await own.clone().whereNotNull('lease_until').update({ lease_until: 1 });
    await own.clone().whereNotNull('wake_at').update({ wake_at: 1 });
  }

  async #oneWorker(faulty: boolean): Promise<void> {
    this.#workers += 1;
    const clock = new JumpingClock();
    const settings: WorkerSettings = {
      catalog: this.#catalog,
      kinds: this.#kinds,
      owner: `worker ${this.#workers}`,
      leaseMs: LEASE_MS,
      clock,
      logger: silentLogger,
      faults: (point) => (faulty ? this.#fault(point, clock) : undefined),
      draining: new AbortController().signal,
    };
    const due = await dueTasks(this.#catalog, this.#kinds, 10);
    const taskId = due.find((id) => id === this.#buildId || id === this.#removeId);
    const taken = taskId === undefined ? undefined : await takeTask(settings, taskId);
    if (taken === undefined) return;
    if (BigInt(taken.row.fence) <= this.#fence) throw new Error('the fence did not grow');
    this.#fence = BigInt(taken.row.fence);
    try {
      await workOn(settings, taken);
    } catch (error) {
      if (!(error instanceof Killed || isTroveError(error, 'STALE_FENCE'))) throw error;
    }
  }

  async #fault(point: FaultPoint, clock: JumpingClock): Promise<void> {
    if (this.#faultsLeft === 0 || !this.#chance(0.25)) return;
    this.#faultsLeft -= 1;
    if (this.#chance(0.2)) await this.#requestRemoval();
    if (this.#chance(0.5)) throw new Killed(`${point.step} ${point.at}`);
    // Stopped past its lease; meanwhile another worker goes on, and may itself be killed; then this one continues.
    clock.jump(LEASE_MS + 1);
    await this.#timePasses();
    await this.#oneWorker(this.#chance(0.5));
  }

  async #requestRemoval(): Promise<void> {
    const instance = await instanceOf(this.#catalog, this.#instanceId);
    if (instance.deleted === 1) return;
    const { taskId } = await fileRemove(this.#catalog, this.#instanceId);
    if (this.#removeId !== undefined && taskId !== this.#removeId)
      throw new Error('a second delete did not find the first');
    this.#removeId = taskId;
  }

  #unfinished(): Promise<TaskRow[]> {
    const unfinished = ['pending', 'running', 'waiting', 'compensating'];
    return withTransaction(this.#catalog, (tx) =>
      tx<TaskRow>('tasks').where({ instance_id: this.#instanceId }).whereIn('state', unfinished),
    );
  }

  async check(): Promise<void> {
    const build = await taskOf(this.#catalog, this.#buildId);
    const instance = await instanceOf(this.#catalog, this.#instanceId);
    const removed = this.#removeId !== undefined;
    if (removed) expectSame('state of the delete', (await taskOf(this.#catalog, this.#removeId ?? '')).state, 'done');
    expectSame('slot', instance.active_task_id, null);
    expectSame('fence on the row', BigInt(instance.fence), this.#fence);
    expectSame('ends', instance.volume_size, removed ? 2 : 1);
    if (build.state === 'cancelled') expectSame('a cancel without a delete', removed, true);
    if (build.state === 'failed') expectSame('a failure without a cause', this.#plan.fails !== undefined, true);
    if (!removed && build.state === 'done')
      expectSame('made', this.#kept(), ['announcement', 'secret', 'server', 'volume']);
    else if (!removed && this.#plan.fails?.step === 'announce')
      expectSame('left', this.#kept(), ['secret', 'server', 'volume']);
    else expectSame('left', this.#kept(), []);
    this.#checkOrder();
  }

  #kept(): string[] {
    const things = this.#world.things(this.#instanceId).map((name) => name.split('.')[0] ?? '');
    return things.filter((thing) => thing !== 'ready');
  }

  /** Nothing is made twice, and nothing is made once the taking away has begun. */
  #checkOrder(): void {
    const changes = this.#world.changes().filter((line) => !line.includes(' ready '));
    expectSame('effects that took place twice', changes.length, new Set(changes).size);
    const firstRemoval = changes.findIndex((line) => line.includes(' remove '));
    const late = firstRemoval < 0 ? [] : changes.slice(firstRemoval).filter((line) => line.includes(' create '));
    expectSame('made after the taking away began', late, []);
    const removals = changes.flatMap((line) => /remove (\S+)/.exec(line)?.[1] ?? []);
    const order = ['announcement', 'server', 'volume', 'secret'];
    expectSame(
      'the order of the taking away',
      removals,
      removals.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)),
    );
  }

  #somePlan(): BuildPlan {
    const plan: BuildPlan = {};
    if (this.#chance(0.5)) plan.wait_ms = 1000;
    if (!this.#chance(0.5)) return plan;
    const step = STEPS[Math.floor(this.#random() * STEPS.length)] ?? 'announce';
    const when = step.startsWith('make') && this.#chance(0.5) ? 'after' : 'before';
    return { ...plan, fails: { step, when, times: 1 + Math.floor(this.#random() * 5), permanent: this.#chance(0.5) } };
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }
}

/** The machine's clock, except that a stopped process finds it further on. */
class JumpingClock implements Clock {
  #ahead = 0;

  now(): number {
    return systemClock.now();
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#ahead;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(ms, signal);
  }

  jump(ms: number): void {
    this.#ahead += ms;
  }
}

function expectSame(what: string, seen: unknown, expected: unknown): void {
  const text = (value: unknown): string => (typeof value === 'bigint' ? value.toString() : JSON.stringify(value));
  if (text(seen) !== text(expected)) throw new Error(`${what}: ${text(seen)}, expected ${text(expected)}`);
}
