import { type Catalog, type TaskRow, withTransaction } from '@trove/catalog';
import { type Clock, isTroveError, silentLogger, systemClock } from '@trove/common';
import { type Boundary, type Random, seededRandom, withBoundaries } from '@trove/testkit';
import { dueTasks } from '../src/engine/due.ts';
import { takeTask } from '../src/engine/lease.ts';
import { type WorkerSettings, workOn } from '../src/engine/work_on.ts';
import type { Step, TaskKind } from '../src/index.ts';
import { fileBuild, fileRemove, instanceOf, newInstance, taskOf } from './house.ts';
import { type BuildPlan, fixtureKinds } from './kinds.ts';
import { MemoryWorld } from './world.ts';

const LEASE_MS = 30_000;
const MAX_ROUNDS = 600;
const STEPS = ['make_secret', 'make_volume', 'make_server', 'wait_ready', 'announce'] as const;

/** The worker's process died at this point. */
class Killed extends Error {}

/**
 * One instance's life under faults: a build that may fail, workers that are killed or stopped past their lease at any
 * boundary, a delete at any moment. Rejects with what does not hold at the end.
 */
export async function seededRun(catalog: Catalog, seed: number): Promise<void> {
  const run = new Run(catalog, seededRandom(seed), await newInstance(catalog));
  try {
    await run.play();
    await run.check();
  } finally {
    await run.abandon();
  }
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
  /** Of each worker that took a task, in the order in which they learnt of it. */
  readonly #fences: bigint[] = [];
  #buildId = '';
  #removeId: string | undefined;

  constructor(catalog: Catalog, random: Random, instanceId: string) {
    this.#catalog = catalog;
    this.#random = random;
    this.#instanceId = instanceId;
    this.#plan = this.#somePlan();
    this.#faultsLeft = Math.floor(random() * 10);
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

  /** What a run that failed leaves unfinished is not the next one's. */
  async abandon(): Promise<void> {
    await this.#catalog.knex('instances').where({ id: this.#instanceId }).update({ active_task_id: null });
  }

  /** Leases of the dead run out and waits are over. */
  async #timePasses(): Promise<void> {
    const own = this.#catalog.knex('tasks').where({ instance_id: this.#instanceId });
    await own.clone().whereNotNull('lease_until').update({ lease_until: 1 });
    await own.clone().whereNotNull('wake_at').update({ wake_at: 1 });
  }

  async #oneWorker(faulty: boolean): Promise<void> {
    this.#workers += 1;
    const worker = new Worker(faulty ? (visit, dying) => this.#fault(visit, dying) : undefined);
    const catalog = worker.catalog(this.#catalog);
    const settings: WorkerSettings = {
      catalog,
      kinds: worker.kinds(this.#kinds),
      owner: `worker ${this.#workers}`,
      leaseMs: LEASE_MS,
      clock: worker.clock,
      logger: silentLogger,
      faults: (point) => worker.visit({ name: `${point.step} ${point.at}`, mayStop: true }),
      draining: new AbortController().signal,
      parked: new Set(),
    };
    try {
      const due = await dueTasks(this.#catalog, this.#kinds, 10);
      const taskId = due.find((id) => id === this.#buildId || id === this.#removeId);
      const taken = taskId === undefined ? undefined : await takeTask(settings, taskId);
      if (taken === undefined) return;
      this.#fences.push(BigInt(taken.row.fence));
      await workOn(settings, taken);
    } catch (error) {
      if (!(error instanceof Killed || isTroveError(error, 'STALE_FENCE'))) throw error;
    }
  }

  async #fault(visit: Visit, worker: Worker): Promise<void> {
    if (this.#faultsLeft === 0 || !this.#chance(0.12)) return;
    this.#faultsLeft -= 1;
    if (this.#chance(0.2)) await this.#requestRemoval();
    if (!visit.mayStop || this.#chance(0.5)) worker.die(visit);
    // Stopped past its lease; meanwhile another worker goes on, and may itself be killed; then this one continues.
    worker.clock.jump(LEASE_MS + 1);
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
    expectSame('workers with the same fence', new Set(this.#fences).size, this.#fences.length);
    expectSame(
      'a fence above the last one on the row',
      this.#fences.find((fence) => fence > BigInt(instance.fence)),
      undefined,
    );
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

/** A boundary that a worker comes to. */
interface Visit {
  readonly name: string;
  /** Whether a worker may also be stopped here. Inside an outside call it may not: what a zombie makes there is the reconciler's. */
  readonly mayStop: boolean;
}

/** A worker whose every outside call and every transaction has a boundary before and after it. */
class Worker {
  readonly clock = new JumpingClock();
  readonly #fault: ((visit: Visit, worker: Worker) => Promise<void>) | undefined;
  #died: Killed | undefined;

  constructor(fault: ((visit: Visit, worker: Worker) => Promise<void>) | undefined) {
    this.#fault = fault;
  }

  /** Whoever is dead does nothing more: a step's catch block, too, ends here. */
  async visit(visit: Visit): Promise<void> {
    if (this.#died !== undefined) throw this.#died;
    await this.#fault?.(visit, this);
  }

  die({ name }: Visit): never {
    this.#died = new Killed(name);
    throw this.#died;
  }

  catalog(catalog: Catalog): Catalog {
    const visit = ({ at }: Boundary): Promise<void> => this.visit({ name: `${at} a transaction`, mayStop: true });
    return { ...catalog, knex: withBoundaries(catalog.knex, visit, ['transaction']) };
  }

  kinds(kinds: readonly TaskKind[]): readonly TaskKind[] {
    const watched = (step: Step): Step =>
      withBoundaries(
        step,
        ({ method, at }) => this.visit({ name: `${step.name} ${at} ${method}`, mayStop: at === 'after' }),
        ['run', 'observe', 'undo'],
      );
    return kinds.map((kind) => ({ ...kind, steps: (task) => kind.steps(task).map(watched) }));
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
  const text = (value: unknown): string =>
    typeof value === 'bigint' ? value.toString() : String(JSON.stringify(value));
  if (text(seen) !== text(expected)) throw new Error(`${what}: ${text(seen)}, expected ${text(expected)}`);
}
