import { TroveError } from '@trove/common';
import type { ContainerInfo } from 'dockerode';
import { findContainer, listContainers } from './containers.ts';
import type { Engine } from './engine.ts';
import { LABELS } from './labels.ts';
import { freeAddresses, type InstanceNetwork } from './network.ts';

/** What a server has for life. It is reserved by the labels of its container: there is always one that bears them. */
export interface Place {
  readonly address: string;
  readonly publicPort: number | null;
}

/** Places that no container has, this server's own favourites first. Without end where there is room. */
export function* freePlaces(
  network: InstanceNetwork,
  serverId: string,
  containers: readonly ContainerInfo[],
  engine: Engine,
): Generator<Place> {
  const labelled = (name: string): Set<string> => new Set(containers.map(({ Labels }) => Labels[name] ?? ''));
  const ports = freePorts(engine, labelled(LABELS.publicPort));
  for (const address of freeAddresses(network, serverId, labelled(LABELS.address))) {
    const publicPort = ports === undefined ? null : ports.next().value;
    if (publicPort === undefined) throw new TroveError('COMPUTE_ERROR', 'No port is free for another server.');
    yield { address, publicPort };
  }
  throw new TroveError('COMPUTE_ERROR', 'No address is free for another server.');
}

function freePorts({ host }: Engine, taken: ReadonlySet<string>): Iterator<number, undefined> | undefined {
  const { published } = host;
  if (published === undefined) return undefined;
  const count = published.lastPort - published.firstPort + 1;
  return Array.from({ length: count }, (_, index) => published.firstPort + index)
    .filter((port) => !taken.has(String(port)))
    .values() as Iterator<number, undefined>;
}

/**
 * Whether the place of a new container is its own. Two that took the same place at once each see the other, and the later
 * one gives way.
 */
export async function ownsPlace(engine: Engine, containerId: string, signal: AbortSignal): Promise<boolean> {
  const servers = await listContainers(engine, { kind: 'server' }, signal);
  const own = servers.find(({ Id }) => Id === containerId);
  if (own === undefined) return false;
  const rivals = servers.filter(
    (other) => other.Labels[LABELS.server] !== own.Labels[LABELS.server] && meet(other, own),
  );
  if (rivals.length === 0) return true;
  const since = await createdAt(engine, containerId, signal);
  for (const rival of rivals) {
    const theirs = await createdAt(engine, rival.Id, signal);
    if (theirs !== undefined && since !== undefined && (theirs < since || (theirs === since && rival.Id < containerId)))
      return false;
  }
  return true;
}

function meet(one: ContainerInfo, other: ContainerInfo): boolean {
  return [LABELS.address, LABELS.publicPort].some(
    (label) => one.Labels[label] !== '' && one.Labels[label] === other.Labels[label],
  );
}

/** By the engine's clock, to the nanosecond: texts of one length that sort as times do. */
async function createdAt(engine: Engine, id: string, signal: AbortSignal): Promise<string | undefined> {
  const found = await findContainer(engine, id, signal);
  return found?.Created;
}
