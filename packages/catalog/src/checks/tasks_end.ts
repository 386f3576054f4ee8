import type { Knex } from 'knex';
import { toBigint } from '../bigint.ts';
import { PARKED } from '../parked.ts';
import type { DatabaseBigint, InstanceFaultRow, TaskRow } from '../tables.ts';
import type { CatalogFacts, TaskFacts } from './facts.ts';
import { isUnfinished } from './facts.ts';
import { type Finding, millis } from './findings.ts';

/** A task past its deadline is taken up within a lease and a poll; this is several of both. */
const SLACK_MICROS = 120_000_000n;

/** I1: past its deadline a task turns back, and past that one's it has failed. */
export function overdueTasks(facts: CatalogFacts): readonly Finding[] {
  return unfinishedTasks(facts)
    .filter((task) => task.deadline + SLACK_MICROS < facts.now && !waitsForAnother(facts, task))
    .map((task) => ({
      key: `overdue:${task.id}`,
      instanceId: task.instance_id,
      what: `task ${task.id} (${task.kind}) is ${task.state} past its deadline`,
      since: millis(task.deadline),
      todo: isParked(task)
        ? 'No taskmanager knows its kind or version: start one of the release that filed it.'
        : 'No taskmanager takes it up: see that one runs and reaches the catalog, and its log for this task_id.',
    }));
}

/** I7: a task that nobody can ever take, because the slot of its instance is not its own. */
export function tasksWithoutSlot(facts: CatalogFacts): readonly Finding[] {
  return unfinishedTasks(facts)
    .filter(
      (task) => facts.instances.get(task.instance_id)?.active_task_id !== task.id && !waitsForAnother(facts, task),
    )
    .map((task) => ({
      key: `no slot:${task.id}`,
      instanceId: task.instance_id,
      what: `task ${task.id} (${task.kind}) has not ended and does not hold its instance's slot`,
      since: millis(task.updated),
      todo: 'It will never run. Find out who changed instances.active_task_id, and file the request again.',
    }));
}

interface EndedTask extends Pick<TaskRow, 'id' | 'kind' | 'instance_id' | 'error'> {
  readonly updated: bigint;
}

/** What tenants see of requests that failed. */
export interface VisibleEnds {
  readonly failed: readonly EndedTask[];
  /** Instances with a fault that is shown. */
  readonly faulted: ReadonlySet<string>;
}

/** Failed tasks of instances that are still there, those only that were their instance's last. */
export async function readVisibleEnds(tx: Knex.Transaction): Promise<VisibleEnds> {
  const later = tx('tasks as n').select('n.id').whereRaw('n.instance_id = t.instance_id AND n.created > t.created');
  const failed: (Omit<EndedTask, 'updated'> & { updated: DatabaseBigint })[] = await tx('tasks as t')
    .join('instances as i', 'i.id', 't.instance_id')
    .where({ 't.state': 'failed', 'i.deleted': 0 })
    .whereNotExists(later)
    .select('t.id', 't.kind', 't.instance_id', 't.error', 't.updated');
  const faults = await tx<InstanceFaultRow>('instance_faults').where({ deleted: 0 }).select('instance_id');
  return {
    failed: failed.map((row) => ({ ...row, updated: toBigint(row.updated) })),
    faulted: new Set(faults.map((row) => row.instance_id)),
  };
}

/** I7: a failure that its tenant cannot see. */
export function silentFailures({ failed, faulted }: VisibleEnds): readonly Finding[] {
  return failed
    .filter((task) => task.error === null || !faulted.has(task.instance_id))
    .map((task) => ({
      key: `silent:${task.id}`,
      instanceId: task.instance_id,
      what: `task ${task.id} (${task.kind}) failed, and the instance shows no fault`,
      since: millis(task.updated),
      todo: 'Read the error in the tasks table, and tell the tenant.',
    }));
}

function unfinishedTasks(facts: CatalogFacts): TaskFacts[] {
  return [...facts.tasks.values()].filter(isUnfinished);
}

/** A delete that follows the slot's holder: the holder is the one to ask about. */
function waitsForAnother(facts: CatalogFacts, { after_task }: TaskFacts): boolean {
  const holder = after_task === null ? undefined : facts.tasks.get(after_task);
  return holder !== undefined && isUnfinished(holder);
}

function isParked({ error }: TaskFacts): boolean {
  return error !== null && error.includes(PARKED);
}
