import type { OwnedThing } from '../driver.ts';
import { listContainers } from './containers.ts';
import type { Engine } from './engine.ts';
import { idOn } from './ids.ts';
import { LABELS, type Labels } from './labels.ts';
import { byServer } from './server_view.ts';
import { type HostVolumes, largest } from './volumes.ts';

/** A server counts while its root is there, too: one whose container is gone is not gone yet. */
export async function ownedThings(
  engine: Engine,
  volumes: HostVolumes,
  of: { readonly deployment: string; readonly instance?: string },
): Promise<readonly OwnedThing[]> {
  const servers = byServer(await listContainers(engine, { ...of, kind: 'server' }));
  const kept = await volumes.list(of);
  const sizes = Map.groupBy(kept, ({ Labels }) => Labels?.[LABELS.volume] ?? '');
  const things = new Map<string, OwnedThing>();
  for (const { Labels } of kept) {
    const thing = toThing(engine.host.name, Labels ?? {});
    if (thing === undefined) continue;
    const size = thing.kind === 'volume' && largest([{ Labels }, ...(sizes.get(thing.id) ?? [])]);
    things.set(thing.id, size === false ? thing : { ...thing, size });
  }
  for (const { current, spec } of servers) {
    const thing = toThing(engine.host.name, current.Labels);
    if (thing !== undefined) things.set(thing.id, { ...thing, flavorId: spec.flavor.id });
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
