import { growthReservationId, QUOTA_RESOURCES, type QuotaResource, reservationId } from '../operations/quota.ts';
import type { CatalogFacts, InstanceFacts } from './facts.ts';

/** A flavor's MB; undefined where the compute driver does not know it. */
export type RamOf = (flavorId: string) => number | undefined;

export interface QuotaDifference {
  readonly projectId: string;
  readonly resource: QuotaResource;
  readonly shown: { readonly inUse: number; readonly reserved: number };
  readonly counted: { readonly inUse: number; readonly reserved: number };
}

type OfInstances = Exclude<QuotaResource, 'backups'>;
type Amounts = Readonly<Record<QuotaResource, { inUse: number; reserved: number }>>;

/** What a project is counted by. */
export interface Countable {
  readonly instances: readonly Pick<InstanceFacts, 'id' | 'flavor_id' | 'volume_size'>[];
  /** Amounts that are still reserved, by the reservation's id. */
  readonly reserved: ReadonlyMap<string, number>;
  /** How many backups the project has. */
  readonly backups: number;
  /** Instances with an unfinished task: no other can have a resize under way, whatever is still reserved for one. */
  readonly atWork: ReadonlySet<string>;
}

/**
 * What a project's instances come to: reserved while their create is under way, in use afterwards, and reserved again what a
 * resize under way takes more. Memory is undefined where a flavor is not known, as in an adopted deployment: then nobody can count it.
 */
export function countQuota({ instances, backups, reserved, atWork }: Countable, ramOf: RamOf): Partial<Amounts> {
  const count = (resource: OfInstances): { inUse: number; reserved: number } => {
    let [total, held, growth] = [0, 0, 0];
    for (const instance of instances) {
      total += amountOf(instance, resource, ramOf);
      held += reserved.get(reservationId(instance.id, resource)) ?? 0;
      if (atWork.has(instance.id)) growth += reserved.get(growthReservationId(instance.id, resource)) ?? 0;
    }
    return { inUse: Math.max(0, total - held), reserved: held + growth };
  };
  const known = instances.every(({ flavor_id }) => ramOf(flavor_id ?? '') !== undefined);
  // Nothing here makes backups or reserves any: they are an adopted catalog's.
  const kept = { inUse: backups, reserved: 0 };
  const counted = { backups: kept, instances: count('instances'), volumes: count('volumes') };
  return known ? { ...counted, ram: count('ram') } : counted;
}

/** Where usage as it stands is not what exists. Usage that was never counted is nobody's mistake. */
export function quotaDifferences(facts: CatalogFacts, ramOf: RamOf): readonly QuotaDifference[] {
  const byProject = Map.groupBy(facts.instances.values(), (row) => row.tenant_id ?? '');
  const counts = new Map<string, Partial<Amounts>>();
  const differences: QuotaDifference[] = [];
  for (const { tenant_id, resource, in_use, reserved } of facts.usages) {
    if (tenant_id === null || in_use === null || reserved === null || !isQuotaResource(resource)) continue;
    const instances = byProject.get(tenant_id) ?? [];
    const counted =
      counts.get(tenant_id) ?? countQuota({ ...facts, instances, backups: facts.backups.get(tenant_id) ?? 0 }, ramOf);
    counts.set(tenant_id, counted);
    const right = counted[resource];
    if (right === undefined || (right.inUse === in_use && right.reserved === reserved)) continue;
    differences.push({ projectId: tenant_id, resource, shown: { inUse: in_use, reserved }, counted: right });
  }
  return differences;
}

/** The projects whose memory nobody can count here. */
export function uncountableProjects(facts: CatalogFacts, ramOf: RamOf): readonly string[] {
  const unknown = [...facts.instances.values()].filter(({ flavor_id }) => ramOf(flavor_id ?? '') === undefined);
  return [...new Set(unknown.map((row) => row.tenant_id ?? ''))];
}

function amountOf(
  { flavor_id, volume_size }: Pick<InstanceFacts, 'flavor_id' | 'volume_size'>,
  resource: OfInstances,
  ramOf: RamOf,
): number {
  const amounts: Readonly<Record<OfInstances, number>> = {
    instances: 1,
    ram: ramOf(flavor_id ?? '') ?? 0,
    volumes: volume_size ?? 0,
  };
  return amounts[resource];
}

function isQuotaResource(resource: string): resource is QuotaResource {
  return QUOTA_RESOURCES.some((name) => name === resource);
}
