import { listContainers } from './containers.ts';
import type { Engine } from './engine.ts';
import { LABELS, specOf } from './labels.ts';
import type { HostLoad } from './placement.ts';
import type { HostVolumes } from './volumes.ts';

const MB = 1024 * 1024;

/**
 * What a host has, and what of it is given away: to each instance what its server has, or what its volume was made for
 * while there is no server yet. Servers of other deployments count: they use the same memory.
 */
export async function hostLoad(engine: Engine, volumes: HostVolumes): Promise<HostLoad> {
  const info: unknown = await engine.call((docker) => docker.info());
  const servers = new Map(
    (await listContainers(engine, { kind: 'server' })).map(({ Labels }) => [Labels[LABELS.server], specOf(Labels)]),
  );
  const ram = new Map<string, number>();
  for (const { Labels } of await volumes.list({ kind: 'volume' }))
    ram.set(Labels[LABELS.instance] ?? '', Number(Labels[LABELS.ram] ?? 0));
  for (const { instanceId, flavor } of servers.values()) ram.set(instanceId, flavor.ram);
  return {
    name: engine.host.name,
    zone: engine.host.zone,
    ram: Math.floor(numberIn(info, 'MemTotal') / MB),
    vcpus: numberIn(info, 'NCPU'),
    usedRam: [...ram.values()].reduce((sum, one) => sum + one, 0),
    servers: servers.size,
  };
}

function numberIn(info: unknown, name: string): number {
  const value: unknown = typeof info === 'object' && info !== null ? Reflect.get(info, name) : undefined;
  return typeof value === 'number' ? value : 0;
}
