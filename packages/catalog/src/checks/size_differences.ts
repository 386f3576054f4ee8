import type { CatalogFacts, InstanceFacts } from './facts.ts';
import type { Finding } from './findings.ts';
import type { OutsideThing } from './outside.ts';

const BY_ITSELF = 'The reconciler books what is there after its grace time; see trove-manage reconcile.';
/** Nothing of ours makes a volume smaller: only who knows what did can say whether it is to stay so. */
const SMALLER =
  'Nothing of ours made it smaller. Make it as large again in compute, or have it booked as it is: trove-manage reconcile --apply.';

/** An instance whose server or volume is not what its row says, so that quota counts what does not exist, or misses it. */
export interface SizeDifference {
  readonly kind: 'volume_size' | 'smaller_volume' | 'flavor';
  readonly instanceId: string;
  readonly detail: string;
}

/**
 * A resize that failed after compute had done it, or a host that was put back to before one. Compared between two readings of the catalog that say the same: while a
 * task is at work, and where one has been in between, nothing is said.
 */
export function sizeDifferences(
  { before, after }: { readonly before: CatalogFacts; readonly after: CatalogFacts },
  things: readonly OutsideThing[],
): readonly SizeDifference[] {
  return things.flatMap((thing) => {
    const instance = restingInstance(before, after, thing.instanceId);
    if (instance === undefined) return [];
    const { id: instanceId, volume_size, flavor_id } = instance;
    const { kind, id, size, flavorId } = thing;
    const booked = volume_size ?? 0;
    if (kind === 'volume' && instance.volume_id === id && size !== undefined && size !== booked) {
      const sized = size < booked ? ('smaller_volume' as const) : ('volume_size' as const);
      return { kind: sized, instanceId, detail: `booked with ${booked} GB, has ${size}` };
    }
    if (kind === 'server' && instance.compute_instance_id === id && flavorId !== undefined && flavorId !== flavor_id) {
      const detail = `booked with flavor ${flavor_id}, has ${flavorId}`;
      return { kind: 'flavor' as const, instanceId, detail };
    }
    return [];
  });
}

/** I5: what rows say of servers and volumes, and so what quota counts, is what compute has. */
export function sizesThatDiffer(
  around: Parameters<typeof sizeDifferences>[0],
  things: readonly OutsideThing[],
): readonly Finding[] {
  const own = things.filter(({ deploymentId }) => deploymentId === around.after.deploymentId);
  return sizeDifferences(around, own).map(({ kind, instanceId, detail }) => ({
    key: `${kind}:${instanceId}`,
    instanceId,
    what: detail,
    since: null,
    todo: kind === 'smaller_volume' ? SMALLER : BY_ITSELF,
  }));
}

function restingInstance(before: CatalogFacts, after: CatalogFacts, id: string): InstanceFacts | undefined {
  const [first, last] = [before.instances.get(id), after.instances.get(id)];
  const same = first?.volume_size === last?.volume_size && first?.flavor_id === last?.flavor_id;
  return same && !before.atWork.has(id) && !after.atWork.has(id) ? last : undefined;
}
