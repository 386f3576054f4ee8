import type { ContainerInfo } from 'dockerode';
import type { Server, ServerAddress, ServerStatus } from '../driver.ts';
import type { DockerHost } from './docker_hosts.ts';
import { LABELS, type ServerSpec, specOf } from './labels.ts';

/** A server's containers: the one that counts, and what a rebuild or a resize was about to put in its place. */
export interface ServerContainers {
  readonly current: ContainerInfo;
  readonly others: readonly ContainerInfo[];
  readonly spec: ServerSpec;
}

/** Containers by server. One that has run counts before one that never has; else the older. */
export function byServer(containers: readonly ContainerInfo[]): readonly ServerContainers[] {
  const groups = Map.groupBy(containers, ({ Labels }) => Labels[LABELS.server] ?? '');
  return [...groups.values()].flatMap((group) => {
    const [current, ...others] = group.toSorted(
      (a, b) => Number(neverRan(a)) - Number(neverRan(b)) || a.Created - b.Created || (a.Id < b.Id ? -1 : 1),
    );
    return current === undefined ? [] : [{ current, others, spec: specOf(current.Labels) }];
  });
}

export function neverRan({ State }: ContainerInfo): boolean {
  return State === 'created';
}

/** The server as the driver's interface shows it. */
export function toServer({ current, spec }: ServerContainers, host: DockerHost): Server {
  return {
    id: spec.id,
    clientToken: spec.token,
    status: statusOf(current.State),
    host: host.name,
    imageId: spec.imageId,
    flavorId: spec.flavor.id,
    volumeId: spec.volumeId,
    addresses: [addressOf(spec, host)],
    generation: spec.generation,
  };
}

function statusOf(state: string): ServerStatus {
  if (state === 'created') return 'BUILD';
  if (state === 'running') return 'ACTIVE';
  return state === 'dead' || state === 'removing' ? 'ERROR' : 'SHUTDOWN';
}

function addressOf(spec: ServerSpec, { published }: DockerHost): ServerAddress {
  if (published === undefined || spec.publicPort === null) return { address: spec.address, type: 'private' };
  const own = spec.publicPort === spec.port ? {} : { port: spec.publicPort };
  return { address: published.address, type: 'public', ...own };
}
