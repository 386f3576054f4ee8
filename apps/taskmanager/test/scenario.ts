import type { TaskRow } from '@trove/catalog';
import type { TaskEngineOptions } from '@trove/tasks';
import { fileCreate, type House } from './house.ts';
import type { Workers } from './worker.ts';
import type { World } from './world.ts';

export type FaultPoint = Parameters<NonNullable<TaskEngineOptions['faults']>>[0];

const REPORTS_EVERY_MS = 100;

export interface Filed {
  readonly id: string;
  readonly taskId: string;
}

/** One way that a kind of task goes: what killed workers and recorded journals go through. */
export interface Scenario {
  /** Of the recording's file too. */
  readonly name: string;
  readonly kind: string;
  readonly ends: 'done' | 'failed' | 'cancelled';
  /** What is there then: an instance that serves, a row alone, or a deleted one. */
  readonly leaves: 'serving' | 'row' | 'deleted';
  /** The guest speaks in clear. `before`: it was made with secure messaging off, which is on now; `always`: it is off still. */
  readonly clear?: 'before' | 'always';
  /** The guest has a key, and the catalog has it in clear: it was restored. A task that is taken back leaves it so. */
  readonly forgotten?: true;
  /** What stays behind for the reconciler, or for a round. */
  readonly owes?: 'snapshot' | 'password';
  /** What is wrong from now on. */
  readonly conditions?: (world: World) => void;
  /** What happens, once, when the task comes to this point: `create_volume after_run`. */
  readonly meanwhile?: { readonly at: string; readonly act: (house: House, filed: Filed) => Promise<unknown> };
  /** Files the task, on an instance that `serving` made unless the task makes one. */
  file(house: House, serving: () => Promise<string>): Promise<Filed>;
}

export function pointOf({ step, at }: Pick<FaultPoint, 'step' | 'at'>): string {
  return `${step ?? 'end'} ${at}`;
}

/** Whether the switch is on while the task is worked on. */
export function isSecure({ clear }: Scenario): boolean {
  return clear !== 'always';
}

/** An instance that serves, made by a worker to which nothing happens, and then the task, with all that is wrong. */
export async function begin(house: House, workers: Workers, scenario: Scenario): Promise<Filed> {
  if (scenario.clear !== undefined) house.world.guestFaults.reportsEveryMs = REPORTS_EVERY_MS;
  const filed = await scenario.file(house, async () => {
    const healthy = workers.open({ secure: scenario.clear === undefined });
    const made = await fileCreate(house);
    await settled(house, made.id);
    await healthy.close();
    house.world.calls.length = 0;
    return made.id;
  });
  if (scenario.forgotten) workers.forget(filed.id);
  scenario.conditions?.(house.world);
  return filed;
}

/** For the fault points of every worker of one run. */
export function happening(house: House, scenario: Scenario): (point: FaultPoint, filed: Filed) => Promise<void> {
  let happened = false;
  return async (point, filed) => {
    const { meanwhile } = scenario;
    if (happened || meanwhile === undefined || point.taskId !== filed.taskId || pointOf(point) !== meanwhile.at) return;
    happened = true;
    await meanwhile.act(house, filed);
  };
}

/** Resolves with the tasks of the instance once none of them is unfinished. */
export async function settled({ catalog }: House, instanceId: string, withinMs = 60_000): Promise<readonly TaskRow[]> {
  for (const end = performance.now() + withinMs; ; await new Promise((resolve) => setTimeout(resolve, 5))) {
    const rows = await catalog.knex<TaskRow>('tasks').where({ instance_id: instanceId });
    const open = rows.filter(({ state }) => !['done', 'failed', 'cancelled'].includes(state));
    if (open.length === 0) return rows;
    if (performance.now() > end)
      throw new Error(open.map(({ kind, state, step, error }) => `${kind} stands at ${state} ${step} ${error}`).join());
  }
}
