import { type Boundary, withBoundaries } from '@trove/testkit';
import type { House } from './house.ts';
import { type FaultPoint, type Filed, happening, isSecure, pointOf, type Scenario, settled } from './scenario.ts';
import { onlyReads, type Workers } from './worker.ts';

class Killed extends Error {}

/** What a worker came to: before or after a call or a transaction, of this step's run or undo. */
export interface Visit {
  /** `create_volume before_run`: the point that was passed last. */
  readonly where: string;
  readonly what: string;
  /** Of the scenario's task, and of none that came after it. */
  readonly isOwn: boolean;
}

/** One run of a scenario, whose workers all see the same things happen. */
export class Run {
  /** Every point that the task has come to: `create_volume after_run`. */
  readonly points = new Set<string>();
  readonly #house: House;
  readonly #workers: Workers;
  readonly #scenario: Scenario;
  readonly #filed: Filed;
  readonly #happen: ReturnType<typeof happening>;

  constructor(house: House, workers: Workers, scenario: Scenario, filed: Filed) {
    this.#house = house;
    this.#workers = workers;
    this.#scenario = scenario;
    this.#filed = filed;
    this.#happen = happening(house, scenario);
  }

  /**
   * A worker that dies where `diesAt` says so: at a boundary that changes something. Whoever is dead changes nothing more.
   * Resolves when it is dead (true), or when nothing is left to do. `whole`: a taskmanager with its rounds, not just a worker.
   */
  async mortal(diesAt: (visit: Visit) => boolean, whole = false): Promise<boolean> {
    const [house, filed] = [this.#house, this.#filed];
    const death = Promise.withResolvers<true>();
    let dead = false;
    // What a whole taskmanager asks before it begins is not of any task.
    let begun = !whole;
    let [where, isOwn] = ['start', true];
    let calls = new Map<string, number>();
    const visit = async ({ method, at }: Boundary): Promise<void> => {
      if (dead) throw new Killed('dead already');
      if (onlyReads(method) || !begun) return;
      const count = (calls.get(`${at} ${method}`) ?? 0) + 1;
      calls.set(`${at} ${method}`, count);
      if (!diesAt({ where, what: `${at} ${method}${count === 1 ? '' : ` ${count}`}`, isOwn })) return;
      dead = true;
      const leases = house.catalog.knex('tasks').where({ instance_id: filed.id }).whereNotNull('lease_owner');
      await leases.update({ lease_until: 1, lease_owner: 'the dead' });
      death.resolve(true);
      throw new Killed('dead');
    };
    const faults = async (point: FaultPoint): Promise<void> => {
      if (dead) throw new Killed('dead already');
      isOwn = point.taskId === filed.taskId;
      [where, calls] = [isOwn ? pointOf(point) : `${point.kind} ${pointOf(point)}`, new Map()];
      if (isOwn) this.points.add(where);
      await this.#happen(point, filed);
    };
    const secure = isSecure(this.#scenario);
    const worker = whole
      ? await house.taskmanager({ secure, faults, ...watched(house, visit) })
      : this.#workers.open({ secure, visit, faults });
    begun = true;
    const died = await Promise.race([death.promise, settled(house, filed.id).then(() => false)]);
    await worker.close();
    if (!died) await this.#tellWhatIsLeft();
    this.#workers.forget(filed.id);
    return died;
  }

  /** A step that only cleans up and was given up. */
  async #tellWhatIsLeft(): Promise<void> {
    const given: string[] = await this.#house.catalog
      .knex('task_steps')
      .join('tasks', 'tasks.id', 'task_steps.task_id')
      .where({ task_id: this.#filed.taskId, 'task_steps.state': 'failed', 'tasks.state': 'done' })
      .pluck('name');
    for (const name of given) this.points.add(`${name} left`);
  }

  /** Somebody to whom nothing happens takes over what the dead have left, and is there until the workers are closed. */
  async takeOver(): Promise<void> {
    const faults = (point: FaultPoint): Promise<void> => this.#happen(point, this.#filed);
    this.#workers.open({ secure: isSecure(this.#scenario), faults });
  }
}

function watched({ catalog, world }: House, visit: (boundary: Boundary) => Promise<void>) {
  return {
    catalog: { ...catalog, knex: withBoundaries(catalog.knex, visit, ['transaction']) },
    compute: withBoundaries(world, visit),
  };
}
