import { taskStatusByCode } from '@trove/contracts';
import {
  deadSlots,
  leftoversOfBuilds,
  ownershipOf,
  stuckInstances,
  unsettledResources,
} from '../checks/differences.ts';
import type { CatalogFacts } from '../checks/facts.ts';
import type { OutsideThing } from '../checks/outside.ts';
import { quotaDifferences, type RamOf } from '../checks/quota_difference.ts';
import { sizeDifferences } from '../checks/size_differences.ts';
import type { ResourceRow } from '../tables.ts';
import type { Difference } from './kinds.ts';

/** Three readings, in this order: what the world lacks is asked of the first, what the catalog lacks of the last. */
export interface Readings {
  readonly before: CatalogFacts;
  /** Carrying this deployment's id, on compute and on the broker; undefined where nobody could list them: then nothing is said about them. */
  readonly things: readonly OutsideThing[] | undefined;
  readonly after: CatalogFacts;
}

/** Everything that differs, and that no task is at. */
export function compare({ before, things, after }: Readings, ramOf: RamOf): readonly Difference[] {
  const already = new Set(unsettledResources(before).map((row) => row.token));
  return [
    ...unownedThings(after, things ?? []),
    ...leftovers(after),
    ...unsettled(after).filter(({ subject }) => already.has(subject)),
    ...after.deadKeys.map((id) => of('dead_key', id, id, 'a key rests in the catalog, and its instance is deleted')),
    ...after.failedDeletes.map((id) => of('failed_delete', id, id, 'its delete was accepted, and has failed')),
    ...stuckInstances(after).map((row) =>
      of('status', row.id, row.id, `shows ${taskStatusByCode(row.task_id).action}`),
    ),
    ...deadSlots(after).map((row) => of('slot', row.id, row.id, `held by task ${row.active_task_id}, which has ended`)),
    ...sizeDifferences({ before, after }, things ?? []).map(({ kind, instanceId, detail }) =>
      of(kind, instanceId, instanceId, detail),
    ),
    ...quotaDifferences(after, ramOf).map(({ projectId, resource, shown, counted }) =>
      of(
        'quota',
        `${projectId}:${resource}`,
        null,
        `charged ${shown.inUse} + ${shown.reserved} reserved, has ${counted.inUse} + ${counted.reserved}`,
      ),
    ),
  ];
}

function unownedThings(facts: CatalogFacts, things: readonly OutsideThing[]): Difference[] {
  return things.flatMap((thing) => {
    const ownership = ownershipOf(facts, thing, things);
    const subject = subjectOf(thing);
    if (ownership === 'unheard')
      return of('unheard', subject, thing.instanceId, 'the catalog has never heard of it: was it restored?');
    if (ownership !== 'unowned') return [];
    return of('unowned', subject, thing.instanceId, whyUnowned(facts, thing));
  });
}

function whyUnowned({ instances }: CatalogFacts, { kind, instanceId }: OutsideThing): string {
  if (!instances.has(instanceId)) return 'its instance is deleted';
  return kind === 'account' ? 'its instance has given it up' : 'its instance has another, or none';
}

/** One finding per instance: all of it is taken away at once. */
function leftovers(facts: CatalogFacts): Difference[] {
  const byInstance = Map.groupBy(leftoversOfBuilds(facts), (row) => row.instance_id);
  return [...byInstance].map(([id, rows]) => of('leftover', id, id, `left by its build: ${kindsOf(rows)}`));
}

function unsettled(facts: CatalogFacts): Difference[] {
  const building = new Set(leftoversOfBuilds(facts).map((row) => row.token));
  return unsettledResources(facts)
    .filter((row) => isThing(row) && !building.has(row.token))
    .map((row) => of('unsettled', row.token, row.instance_id, `${row.kind} was left as "${row.state}" by its task`));
}

/** As findings name what is outside. */
export function subjectOf({ kind, id }: Pick<OutsideThing, 'kind' | 'id'>): string {
  return `${kind}:${id}`;
}

/** Accounts and queues are the accounts' round to keep right. */
function isThing({ kind }: ResourceRow): boolean {
  return kind === 'server' || kind === 'volume' || kind === 'snapshot';
}

function kindsOf(rows: readonly ResourceRow[]): string {
  return [...new Set(rows.map((row) => row.kind))].toSorted().join(', ');
}

function of(kind: Difference['kind'], subject: string, instanceId: string | null, detail: string): Difference {
  return { kind, subject, instanceId, detail };
}
