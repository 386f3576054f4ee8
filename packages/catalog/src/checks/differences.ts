import type { ResourceRow } from '../tables.ts';
import { type CatalogFacts, type InstanceFacts, isUnfinished } from './facts.ts';
import type { OutsideThing } from './outside.ts';
import { isFailedBuild, showsAction } from './transient_status.ts';

/** The task kind that makes instances: what it leaves when it fails holds no data of anybody's. */
const CREATE_KIND = 'create_instance';

/**
 * Whether a thing outside belongs to somebody: to the instance that names it, or to the row of its token. A second thing of
 * the same token is nobody's while the one that the row names is there too. `in flight`: a task works on its instance, and
 * will end with one owner or without the thing. `unheard`: no row of `resources` has its token; those are written first and
 * never removed, so this catalog is older than the thing.
 */
export type Ownership = 'owned' | 'in flight' | 'unowned' | 'unheard';

/** @param listed everything outside, at least of the thing's instance */
export function ownershipOf(facts: CatalogFacts, thing: OutsideThing, listed: readonly OutsideThing[]): Ownership {
  const row = facts.resources.get(thing.clientToken);
  const instance = facts.instances.get(thing.instanceId);
  if (instance !== undefined) {
    if (facts.atWork.has(instance.id)) return 'in flight';
    if (names(instance, thing)) return 'owned';
    if (row !== undefined && row.state !== 'gone' && !isSecond(row, thing, listed)) return 'owned';
  }
  return row === undefined ? 'unheard' : 'unowned';
}

/** Not where the first is missing: ids change where a host is called otherwise, and then this may be the only one. */
function isSecond({ external_id }: ResourceRow, { kind, id }: OutsideThing, listed: readonly OutsideThing[]): boolean {
  return id !== external_id && listed.some((other) => other.kind === kind && other.id === external_id);
}

function names(instance: InstanceFacts, { kind, id }: OutsideThing): boolean {
  return (kind === 'server' && instance.compute_instance_id === id) || (kind === 'volume' && instance.volume_id === id);
}

/** Rows that were written before an act and never settled: the task that would has ended, or is gone. */
export function unsettledResources(facts: CatalogFacts): readonly ResourceRow[] {
  return [...facts.resources.values()].filter(
    (row) =>
      (row.state === 'intent' || row.state === 'deleting') &&
      !hasLiveTask(facts, row) &&
      !facts.atWork.has(row.instance_id),
  );
}

/** What a build that failed could not take away again: its instance is there, and shows the failure. */
export function leftoversOfBuilds(facts: CatalogFacts): readonly ResourceRow[] {
  return [...facts.resources.values()].filter((row) => {
    const instance = facts.instances.get(row.instance_id);
    const task = row.task_id === null ? undefined : facts.tasks.get(row.task_id);
    return (
      row.state !== 'gone' &&
      row.kind !== 'key' &&
      task?.kind === CREATE_KIND &&
      (task.state === 'failed' || task.state === 'cancelled') &&
      instance !== undefined &&
      isFailedBuild(instance) &&
      !facts.atWork.has(instance.id)
    );
  });
}

/** Instances that show an action which no task is at work on. */
export function stuckInstances(facts: CatalogFacts): readonly InstanceFacts[] {
  return [...facts.instances.values()].filter((row) => showsAction(row) && !facts.atWork.has(row.id));
}

/** Instances whose slot is held by a task that has ended or never was: nothing else could begin. */
export function deadSlots(facts: CatalogFacts): readonly InstanceFacts[] {
  return [...facts.instances.values()].filter(({ active_task_id }) => {
    if (active_task_id === null) return false;
    const holder = facts.tasks.get(active_task_id);
    return holder === undefined || !isUnfinished(holder);
  });
}

function hasLiveTask(facts: CatalogFacts, { task_id }: ResourceRow): boolean {
  const task = task_id === null ? undefined : facts.tasks.get(task_id);
  return task !== undefined && isUnfinished(task);
}
