import type { OwnedThing } from '../driver.ts';
import { listContainers } from './containers.ts';
import type { Engine } from './engine.ts';
import { idOn } from './ids.ts';
import { LABELS, type Labels } from './labels.ts';
import type { HostVolumes } from './volumes.ts';

/** A server counts while its root is there, too: one whose container is gone is not gone yet. */
export async function ownedThings(
  engine: Engine,
  volumes: HostVolumes,
  deploymentId: string,
): Promise<readonly OwnedThing[]> {
  const containers = await listContainers(engine, { kind: 'server', deployment: deploymentId });
  const kept = await volumes.list({ deployment: deploymentId });
  const labels: readonly Labels[] = [...containers, ...kept].map((thing) => thing.Labels ?? {});
  const things = new Map<string, OwnedThing>();
  for (const one of labels) {
    const thing = toThing(engine.host.name, one);
    if (thing !== undefined) things.set(thing.id, thing);
  }
  return [...things.values()];
}

function toThing(host: string, labels: Labels): OwnedThing | undefined {
  const clientToken = labels[LABELS.token] ?? '';
  const kind = kindOf(labels[LABELS.kind] ?? '');
  if (kind === undefined) return undefined;
  return {
    kind,
    id: idOn(host, kind, clientToken),
    clientToken,
    deploymentId: labels[LABELS.deployment] ?? '',
    instanceId: labels[LABELS.instance] ?? '',
  };
}

function kindOf(kind: string): OwnedThing['kind'] | undefined {
  if (kind === 'server' || kind === 'root') return 'server';
  return kind === 'volume' || kind === 'snapshot' ? kind : undefined;
}
